import Configuration

/// What the settings of a new U-Net have in common, of images or of clips; lists begin with the
/// finest block.
package protocol NewNetworkSettings: Settings {
  /// Squares of so many pixels a side become the channels of one position.
  var pixelBlock: Int { get }
  /// Channels of each block.
  var channels: [Int] { get }
  /// Whether each block reads the prompt.
  var readsPrompt: [Bool] { get }
  /// Groups of each norm.
  var normGroupCount: Int { get }
}

extension NewNetworkSettings {
  /// The number that must divide the sides of images.
  package var sideFactor: Int { pixelBlock << (channels.count - 1) }
  /// The channels of a sample.
  package var sampleChannels: Int { 3 * pixelBlock * pixelBlock }

  /// A sample's height and width.
  ///
  /// - Throws: `ConfigurationError` for sides that blocks cannot halve.
  package func sampleSize(width: Int, height: Int) throws -> [Int] {
    for (key, side) in [("width", width), ("height", height)] {
      try ConfigurationError.require(
        side > 0 && side.isMultiple(of: sideFactor), key, side, "a multiple of \(sideFactor)")
    }
    return [height / pixelBlock, width / pixelBlock]
  }

  /// Channels fall into groups and heads, and each block reads the prompt or not.
  ///
  /// - Parameters:
  ///   - headKey: the setting that decides the heads.
  ///   - divisor: its value.
  package func checkBlocks(_ headKey: String, _ divisor: Int) throws {
    try ConfigurationError.require(
      (1...8).contains(channels.count), "channels", channels, "1 to 8 numbers")
    try ConfigurationError.require(
      channels.allSatisfy {
        (1...4_096).contains($0) && $0.isMultiple(of: normGroupCount) && $0.isMultiple(of: divisor)
      }, "channels", channels,
      "multiples of normGroupCount, which is \(normGroupCount), and of \(headKey), which is "
        + "\(divisor), up to 4096")
    try ConfigurationError.require(
      readsPrompt.count == channels.count, "readsPrompt", readsPrompt,
      "\(channels.count) truth values, one for each of channels")
  }
}
