/// A picture: 8-bit red, green and blue, shape `[H, W, 3]`, the top row first.
public struct Frame: Equatable, Sendable {
  /// Pixels in a row.
  public let width: Int
  /// Rows.
  public let height: Int
  /// Row-major, three bytes a pixel.
  public var pixels: [UInt8]

  /// Makes a picture from its bytes.
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(
      width > 0 && height > 0 && pixels.count == 3 * width * height,
      "a frame of \(width)x\(height) pixels needs \(3 * width * height) bytes, not \(pixels.count)")
    self.width = width
    self.height = height
    self.pixels = pixels
  }
}
