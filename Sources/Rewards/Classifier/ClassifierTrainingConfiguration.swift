import NeuralNetworks

/// The sizes of the attribute classifier and how it is trained.
public struct ClassifierTrainingConfiguration: Codable, Hashable, Sendable {
  /// Channels at full, half and quarter resolution, multiples of 8.
  public var channels = [32, 64, 128]
  /// The width before the classes.
  public var hiddenSize = 256
  /// The greatest standard deviation of noise on pictures, where black is -1 and white is 1.
  public var noise = 0.3
  /// How weights are changed.
  public var optimization = OptimizationSettings()

  /// The defaults.
  public init() {}

  /// - Throws: `SettingError` naming a setting that is out of its range.
  public func validate() throws {
    typealias Check = SettingError
    try Check.require(
      channels.count == 3 && channels.allSatisfy { (8...4_096).contains($0) && $0 % 8 == 0 },
      "channels", channels, "three multiples of 8")
    try Check.require((1...65_536).contains(hiddenSize), "hiddenSize", hiddenSize, "1 to 65536")
    try Check.require((0...1).contains(noise), "noise", noise, "0 to 1")
    try Check.within("optimization") { try optimization.validate() }
  }
}
