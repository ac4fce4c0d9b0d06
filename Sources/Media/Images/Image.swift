/// A picture of 8-bit samples: grey, RGB or RGBA, interleaved, rows from top to bottom.
public struct Image: Equatable, Sendable {
  /// Pixels in a row.
  public let width: Int
  /// Rows.
  public let height: Int
  /// Samples in a pixel: 1 is grey, 3 is RGB, 4 is RGBA with straight (not premultiplied) alpha.
  public let channelCount: Int
  /// The samples, `[H, W, C]` in row-major order.
  public private(set) var samples: [UInt8]

  /// Makes an image from its samples, `[H, W, C]` in row-major order.
  public init(width: Int, height: Int, channelCount: Int, samples: [UInt8]) {
    Image.checkSize(width: width, height: height, channelCount: channelCount)
    precondition(
      samples.count == width * height * channelCount,
      "an image of \(width)x\(height)x\(channelCount) needs \(width * height * channelCount) samples, "
        + "not \(samples.count)")
    self.width = width
    self.height = height
    self.channelCount = channelCount
    self.samples = samples
  }

  /// Makes an image whose samples `initialize` writes, all of them.
  public init(
    width: Int, height: Int, channelCount: Int,
    initializingWith initialize: (UnsafeMutableBufferPointer<UInt8>) throws -> Void
  ) rethrows {
    Image.checkSize(width: width, height: height, channelCount: channelCount)
    let count = width * height * channelCount
    self.width = width
    self.height = height
    self.channelCount = channelCount
    samples = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      try initialize(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      initializedCount = count
    }
  }

  /// Makes an RGB image of one color.
  public init(width: Int, height: Int, filledWith color: Color) {
    self.init(width: width, height: height, channelCount: 3) { samples in
      for index in 0..<width * height {
        samples[3 * index] = color.red
        samples[3 * index + 1] = color.green
        samples[3 * index + 2] = color.blue
      }
    }
  }

  /// The samples of the pixel in column `x` of row `y`.
  public subscript(x: Int, y: Int) -> ArraySlice<UInt8> {
    precondition(
      (0..<width).contains(x) && (0..<height).contains(y),
      "(\(x), \(y)) is outside an image of \(width)x\(height)")
    let start = (y * width + x) * channelCount
    return samples[start..<start + channelCount]
  }

  /// Calls `body` with the samples, `[H, W, C]` in row-major order, for writing.
  public mutating func withUnsafeMutableSamples<Result>(
    _ body: (UnsafeMutableBufferPointer<UInt8>) throws -> Result
  ) rethrows -> Result {
    try samples.withUnsafeMutableBufferPointer { try body($0) }
  }

  private static func checkSize(width: Int, height: Int, channelCount: Int) {
    precondition(
      width > 0 && height > 0, "an image has at least one pixel: \(width)x\(height) does not")
    precondition(
      channelCount == 1 || channelCount == 3 || channelCount == 4,
      "an image has 1, 3 or 4 channels, not \(channelCount)")
  }
}

extension Image: CustomStringConvertible {
  /// The size and the kind of pixels.
  public var description: String {
    let kind = channelCount == 1 ? "grey" : channelCount == 3 ? "RGB" : "RGBA"
    return "\(width)x\(height) \(kind) image"
  }
}
