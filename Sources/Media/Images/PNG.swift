import CPNGBridge
import Files
import Glibc

extension Image {
  /// The number of pixels that a PNG may claim; larger ones are refused before memory is set aside.
  public static let pixelCountLimit = 1 << 28

  /// Reads a PNG file of any kind as 8-bit grey, RGB or RGBA.
  ///
  /// Palettes and transparent colors are expanded, 16-bit samples keep their upper byte, grey with
  /// alpha becomes RGBA. Gamma and color profiles are not applied.
  ///
  /// - Throws: `ImageFileError`.
  public init(contentsOfFile path: String) throws(ImageFileError) {
    self = try Image(pngBytes: WholeFile.read(path), name: path)
  }

  /// Decodes a PNG; `name` stands for it in errors.
  ///
  /// - Throws: `ImageFileError`.
  public init(pngBytes bytes: [UInt8], name: String = "PNG data") throws(ImageFileError) {
    try Image.checkSignature(bytes, name: name)
    self = try bytes.withUnsafeBufferPointer { buffer throws(ImageFileError) in
      try Image.decode(buffer, name: name)
    }
  }

  private static func checkSignature(_ bytes: [UInt8], name: String) throws(ImageFileError) {
    let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    if bytes.starts(with: signature) { return }
    if !bytes.isEmpty, signature.starts(with: bytes) {
      throw .damaged(file: name, reason: "it ends after \(bytes.count) bytes")
    }
    let others: [(start: [UInt8], name: String)] = [
      ([0xFF, 0xD8, 0xFF], "a JPEG"), (Array("GIF8".utf8), "a GIF"), (Array("BM".utf8), "a BMP"),
      (Array("RIFF".utf8), "a WebP or another RIFF file"), (Array("<svg".utf8), "an SVG"),
    ]
    if bytes.isEmpty { throw .notPNG(file: name, found: "it is empty") }
    if let other = others.first(where: { bytes.starts(with: $0.start) }) {
      throw .notPNG(file: name, found: "it looks like \(other.name)")
    }
    let start = bytes.prefix(4).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
    throw .notPNG(file: name, found: "it begins with bytes \(start.joined(separator: " "))")
  }

  private static func decode(
    _ bytes: UnsafeBufferPointer<UInt8>, name: String
  ) throws(ImageFileError) -> Image {
    var message = [CChar](repeating: 0, count: Int(ATTUNE_PNG_MESSAGE_SIZE))
    var header = attune_png_header()
    guard let reader = attune_png_open(bytes.baseAddress, bytes.count, &header, &message) else {
      throw .damaged(file: name, reason: text(message))
    }
    defer { attune_png_close(reader) }

    let (width, height) = (Int(header.width), Int(header.height))
    guard width * height <= pixelCountLimit else {  // both are below 2^31
      throw .tooLarge(file: name, width: width, height: height)
    }
    // Deflate shrinks at most 1032 times: a short file that claims many pixels is refused before
    // they get memory.
    guard header.stored_row_size * height / 1032 <= bytes.count else {
      throw .damaged(
        file: name, reason: "\(bytes.count) bytes cannot hold its \(width)x\(height) pixels")
    }

    var isRead = false
    let image = Image(width: width, height: height, channelCount: Int(header.channel_count)) {
      isRead = attune_png_read(reader, $0.baseAddress, &message) != 0
      // Nothing uninitialized may be left, even in an image that is dropped.
      if !isRead { $0.update(repeating: 0) }
    }
    guard isRead else { throw .damaged(file: name, reason: text(message)) }
    return image
  }

  private static func text(_ message: [CChar]) -> String {
    String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

extension Image {
  /// The image as the bytes of a PNG file.
  public func pngBytes() -> [UInt8] {
    var message = [CChar](repeating: 0, count: Int(ATTUNE_PNG_MESSAGE_SIZE))
    var count = 0
    let encoded = samples.withUnsafeBufferPointer { samples in
      attune_png_encode(
        samples.baseAddress, UInt32(width), UInt32(height), Int32(channelCount), &count, &message)
    }
    // An image in memory is always valid, so that only memory can be lacking.
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

/// Why an image could not be read or written.
public enum ImageFileError: Error, Equatable {
  /// The file, or the folder around it, cannot be opened.
  case unreadable(file: String, reason: String)
  /// The file does not begin as a PNG does.
  case notPNG(file: String, found: String)
  /// The file does not begin as a JPEG does, or is one of a kind that is not read.
  case notJPEG(file: String, found: String)
  /// The file begins as an image and breaks off or contradicts itself.
  case damaged(file: String, reason: String)
  /// The header asks for more pixels than `Image.pixelCountLimit`.
  case tooLarge(file: String, width: Int, height: Int)
  /// The file cannot be written.
  case unwritable(file: String, reason: String)
}

extension ImageFileError: CustomStringConvertible {
  /// One sentence that names the file, what is wrong with it and what to do.
  public var description: String {
    switch self {
    case .unreadable(let file, let reason):
      "cannot read \(file): \(reason)"
    case .notPNG(let file, let found):
      "\(file) is not a PNG: \(found); convert it with: ffmpeg -i '\(file)' image.png"
    case .notJPEG(let file, let found):
      "\(file) is not a JPEG that can be read: \(found); write it as a baseline JPEG"
    case .damaged(let file, let reason):
      "\(file) is a damaged image: \(reason); make or copy the file again"
    case .tooLarge(let file, let width, let height):
      "\(file) claims \(width)x\(height) pixels; at most \(Image.pixelCountLimit) are read: "
        + "make it smaller"
    case .unwritable(let file, let reason):
      "cannot write \(file): \(reason)"
    }
  }
}

/// Reading a file into memory, and replacing one by a new version in a single step.
enum WholeFile {
  static func read(_ path: String) throws(ImageFileError) -> [UInt8] {
    do throws(FileError) {
      return try BinaryFile.read(path: path)
    } catch {
      throw .unreadable(file: path, reason: error.reason)
    }
  }

  static func write(_ bytes: [UInt8], to path: String) throws(ImageFileError) {
    do throws(FileError) {
      try AtomicFile.write(bytes, to: path)
    } catch {
      throw .unwritable(file: path, reason: error.reason)
    }
  }
}
