import Runs

/// Settings of a run.
struct SampleConfiguration: RunConfiguration {
  /// Inner ones.
  struct Network: Codable, Hashable { var widths = [512, 512] }

  var environment = "hopper"
  var network = Network()
  var seed: UInt64?
}
