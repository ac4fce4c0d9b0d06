import Configuration

/// Settings with everything that settings may have.
struct SampleSettings: Settings {
  enum Schedule: String, Codable, CaseIterable { case cosine, linear, constant }

  struct Network: Settings {
    @Setting(.sizes) var widths = [512, 512]
    var activation = "relu"
    @Setting(0...0.9) var dropout: Double? = nil
  }

  struct Evaluation: Settings {
    @Setting(.notNegative) var every = 10
    @Setting(.positive) var episodes = 50

    func checkRelations() throws {
      try ConfigurationError.require(
        every <= episodes, "every", every, "up to episodes, which is \(episodes)")
    }
  }

  @Setting(.required("the name of an environment")) var environment = "hopper"
  var parameters = ["mass": 1.0]
  @Setting(0...1) var learningRate: Float = 1e-5
  var isNormalized = true
  var schedule = Schedule.cosine
  var network = Network()
  var evaluation: Evaluation?
  var stages: [Evaluation] = []
  var seed: UInt64?
}

extension SettingRange<[Int]> {
  fileprivate static var sizes: SettingRange {
    .init("numbers above 0") { $0.allSatisfy { $0 > 0 } }
  }
}
