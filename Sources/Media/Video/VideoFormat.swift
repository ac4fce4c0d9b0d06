/// The kind of a video file, by how it begins, and whether all of it is there.
///
/// libavformat takes a file that breaks off for one that ends, so that its own structure is looked
/// at first.
enum VideoFormat {
  case gif, png, apng, mp4, matroska, avi
  /// Others that libavformat may know by what is in them.
  case unknown

  init(_ bytes: [UInt8]) {
    func holds(_ text: String, at offset: Int) -> Bool {
      bytes.dropFirst(offset).starts(with: text.utf8)
    }
    if holds("GIF8", at: 0) {
      self = .gif
    } else if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      var cursor = ByteCursor(bytes)
      self = cursor.isAnimatedPNG() ? .apng : .png
    } else if ["ftyp", "moov", "mdat", "wide", "free", "skip"].contains(where: { holds($0, at: 4) })
    {
      self = .mp4
    } else if bytes.starts(with: [0x1A, 0x45, 0xDF, 0xA3]) {
      self = .matroska
    } else if holds("RIFF", at: 0) && holds("AVI ", at: 8) {
      self = .avi
    } else {
      self = .unknown
    }
  }

  /// libavformat's name; nil where it has to find out.
  var demuxer: String? {
    switch self {
    case .gif: "gif"
    case .png: "png_pipe"
    case .apng: "apng"
    case .mp4: "mov"
    case .matroska: "matroska"
    case .avi: "avi"
    case .unknown: nil
    }
  }

  /// The demuxers that may find out; those of playlists would open other files.
  static let otherDemuxers = "mpegts,mpeg,flv,ogg,asf,ivf"

  /// What is missing or out of place; nil where nothing was found.
  func damage(in bytes: [UInt8]) -> String? {
    var cursor = ByteCursor(bytes)
    switch self {
    case .gif: return cursor.gifDamage()
    case .png, .apng: return cursor.pngDamage()
    case .mp4: return cursor.mp4Damage()
    case .matroska: return cursor.matroskaDamage()
    case .avi: return cursor.aviDamage()
    case .unknown: return nil
    }
  }
}

/// Goes through a file's structure, without what the parts hold.
private struct ByteCursor {
  private let bytes: [UInt8]
  private var offset = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  private var brokenOff: String { "it breaks off after \(bytes.count) bytes" }

  /// The next byte; nil at the end.
  private mutating func byte() -> Int? {
    guard offset < bytes.count else { return nil }
    defer { offset += 1 }
    return Int(bytes[offset])
  }

  /// A number of up to 7 bytes, or 8 if it is below 2^63; nil if the file breaks off or it is not.
  private mutating func number(_ count: Int, littleEndian: Bool = false) -> Int? {
    guard count <= bytes.count - offset else { return nil }
    let part = bytes[offset..<offset + count]
    offset += count
    let value = (littleEndian ? Array(part.reversed()) : Array(part))
      .reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return Int(exactly: value)
  }

  private mutating func name() -> String? {
    guard 4 <= bytes.count - offset else { return nil }
    defer { offset += 4 }
    return String(decoding: bytes[offset..<offset + 4], as: UTF8.self)
  }

  /// False if the file breaks off before.
  private mutating func skip(_ count: Int) -> Bool {
    guard count >= 0 && count <= bytes.count - offset else { return false }
    offset += count
    return true
  }

  mutating func gifDamage() -> String? {
    guard skip(10), let flags = byte(), skip(2), skipGIFColors(flags) else { return brokenOff }
    var frameCount = 0
    blocks: while let kind = byte() {
      switch kind {
      case 0x3B:
        return frameCount > 0 ? nil : "it has no frames"
      case 0x21:
        guard skip(1), skipGIFBlocks() else { break blocks }
      case 0x2C:
        guard skip(8), let flags = byte(), skipGIFColors(flags), skip(1), skipGIFBlocks() else {
          break blocks
        }
        frameCount += 1
      default:
        return "it has an unknown block of kind \(kind) after \(offset - 1) bytes"
      }
    }
    return "\(brokenOff), with \(frameCount) whole frames"
  }

  /// A GIF's table of colors, if its flags say that there is one.
  private mutating func skipGIFColors(_ flags: Int) -> Bool {
    flags & 0x80 == 0 || skip(3 << ((flags & 7) + 1))
  }

  private mutating func skipGIFBlocks() -> Bool {
    while let count = byte() {
      if count == 0 { return true }
      guard skip(count) else { return false }
    }
    return false
  }

  /// Whether a PNG announces frames before its image.
  mutating func isAnimatedPNG() -> Bool {
    offset = 8
    while let count = number(4), let name = name(), name != "IDAT" {
      if name == "acTL" { return true }
      guard skip(count), skip(4) else { return false }
    }
    return false
  }

  mutating func pngDamage() -> String? {
    offset = 8
    var (claimed, found) = (Int?.none, 0)
    while let count = number(4), let name = name() {
      let start = offset
      guard skip(count), skip(4) else { break }
      if name == "fcTL" { found += 1 }
      if name == "acTL" {
        offset = start
        claimed = number(4)
        offset = start + count + 4
      }
      guard name == "IEND" else { continue }
      guard let claimed, claimed != found else { return nil }
      return "it claims \(claimed) frames and has \(found)"
    }
    let frames = claimed.map { ", with \(found) of \($0) frames begun" } ?? ""
    return brokenOff + frames
  }

  mutating func mp4Damage() -> String? {
    var names: [String] = []
    while offset < bytes.count {
      let start = offset
      guard var size = number(4), let name = name() else { return brokenOff }
      if size == 1 {
        guard let large = number(8) else { return brokenOff }
        size = large
      }
      names.append(name)
      if size == 0 { break }  // up to the end
      guard size >= offset - start else { return "its part '\(name)' has a size of \(size)" }
      guard size <= bytes.count - start else {
        return "\(brokenOff), in its part '\(name)', which would have \(size) from \(start)"
      }
      offset = start + size
    }
    return names.contains("moov") ? nil : "it has no index (moov): it was not finished"
  }

  mutating func matroskaDamage() -> String? {
    while offset < bytes.count {
      guard matroskaNumber(keepsMarker: true) != nil else { return brokenOff }
      guard let size = matroskaNumber(keepsMarker: false) else { return brokenOff }
      if size < 0 { return nil }  // Written as a stream, up to the end.
      guard skip(size) else {
        return "\(brokenOff) and would have \(offset + size)"
      }
    }
    return nil
  }

  /// A number whose first bits tell its length; negative for a size that is not known.
  private mutating func matroskaNumber(keepsMarker: Bool) -> Int? {
    guard let first = byte(), first > 0 else { return nil }
    let count = UInt8(first).leadingZeroBitCount
    offset -= 1
    guard let whole = number(count + 1) else { return nil }
    if keepsMarker { return whole }
    let mask = 1 << (7 * (count + 1)) - 1
    return whole & mask == mask ? -1 : whole & mask
  }

  mutating func aviDamage() -> String? {
    // Long files are several of these, one after the other.
    while offset < bytes.count {
      guard let name = name(), let size = number(4, littleEndian: true) else { return brokenOff }
      guard name == "RIFF" else { return nil }
      guard skip(size) else { return "\(brokenOff) and would have \(offset + size)" }
    }
    return nil
  }
}
