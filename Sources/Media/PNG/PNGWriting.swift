import CPNGBridge
import Glibc

extension Image {
  /// The image as the bytes of a PNG file.
  public func pngBytes() -> [UInt8] {
    var message = [CChar](repeating: 0, count: Int(ATTUNE_PNG_MESSAGE_SIZE))
    var count = 0
    let encoded = samples.withUnsafeBufferPointer { samples in
      attune_png_encode(
        samples.baseAddress, UInt32(width), UInt32(height), Int32(channelCount), &count, &message)
    }
    // A picture in memory is always valid, so that only memory can be lacking.
    guard let encoded else { preconditionFailure("encoding a \(self) as PNG ran out of memory") }
    defer { free(encoded) }
    return Array(UnsafeBufferPointer(start: encoded, count: count))
  }

  /// Writes a PNG file; a file that was there before is replaced only by a whole one.
  ///
  /// - Throws: `ImageFileError`.
  public func writePNG(to path: String) throws(ImageFileError) {
    try WholeFile.write(pngBytes(), to: path)
  }
}
