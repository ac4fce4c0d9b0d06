import Configuration

/// The sizes of the attribute classifier and how it is trained.
public struct ClassifierTrainingConfiguration: Settings {
  /// Channels at full, half and quarter resolution, multiples of 8.
  @Setting(.channels) public var channels = [32, 64, 128]
  /// The width before the classes.
  @Setting(1...65_536) public var hiddenSize = 256
  /// The maximum standard deviation of noise on images, where black is -1 and white is 1.
  @Setting(.fraction) public var noise = 0.3
  /// How weights are changed.
  public var optimization = OptimizationSettings()

  /// The defaults.
  public init() {}
}

extension SettingRange<[Int]> {
  fileprivate static var channels: SettingRange {
    .init("three multiples of 8") {
      $0.count == 3 && $0.allSatisfy { (8...4_096).contains($0) && $0 % 8 == 0 }
    }
  }
}
