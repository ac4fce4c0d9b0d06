import CPNGBridge

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
