import Foundation
import TestSupport
import Testing

@testable import Media

/// Golden PNGs of every color type, bit depth and interlacing, and what Pillow reads from them.
@Test func readsEveryKindOfPNGAsPillowDoes() throws {
  let expected = try Goldens.read("pngs.json", as: [String: GoldenImage].self)
  #expect(expected.count == 38)
  for (name, golden) in expected {
    let path = Goldens.folder.appendingPathComponent("pngs/\(name).png").path
    let image = try Image(contentsOfFile: path)
    #expect(image == golden.image, "\(name)")
  }
}

@Test func damagedPNGsGiveErrorsThatNameTheFile() throws {
  let folder = try TemporaryFolder()
  let whole = randomImage(width: 20, height: 10, channelCount: 3, seed: 1).pngBytes()
  func message(_ bytes: [UInt8]) throws -> String {
    let path = folder.file("broken.png")
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let error = #expect(throws: ImageFileError.self) { try Image(contentsOfFile: path) }
    let text = String(describing: error!)
    #expect(text.contains("broken.png"))
    return text
  }
  #expect(try message([]).contains("it is empty"))
  #expect(try message([0xFF, 0xD8, 0xFF, 0xE0]).contains("a JPEG"))
  #expect(try message(Array("hello".utf8)).contains("68 65 6c 6c"))
  #expect(try message(Array(whole[..<5])).contains("ends after 5 bytes"))
  #expect(try message(Array(whole[..<20])).contains("ends too early"))
  #expect(try message(Array(whole[..<(whole.count / 2)])).contains("ends too early"))
  #expect(try message(Array(whole[..<(whole.count - 5)])).contains("ends too early"))
  var wrongSum = whole
  wrongSum[32] ^= 1  // the last byte of the header's checksum
  #expect(try message(wrongSum).contains("CRC"))
}

@Test func everyShortenedPNGIsAnError() {
  let whole = randomImage(width: 9, height: 7, channelCount: 4, seed: 2).pngBytes()
  for count in 0..<whole.count {
    #expect(throws: ImageFileError.self) { try Image(pngBytes: Array(whole[..<count])) }
  }
}

@Test func missingFilesAndFoldersAreNamed() throws {
  let folder = try TemporaryFolder()
  #expect(
    throws: ImageFileError.unreadable(
      file: folder.file("none.png"), reason: "No such file or directory")
  ) {
    try Image(contentsOfFile: folder.file("none.png"))
  }
  // A device may never end.
  for path in [folder.path, "/dev/zero"] {
    #expect(throws: ImageFileError.unreadable(file: path, reason: "it is not a regular file")) {
      try Image(contentsOfFile: path)
    }
  }
}

@Test func hostileSizesAreRefused() throws {
  // 2^30 x 2^30 pixels, then 2^14 x 2^14 in a file of a hundred bytes.
  #expect(throws: ImageFileError.tooLarge(file: "PNG data", width: 1 << 30, height: 1 << 30)) {
    try Image(pngBytes: pngClaiming(width: 1 << 30, height: 1 << 30))
  }
  let error = #expect(throws: ImageFileError.self) {
    try Image(pngBytes: pngClaiming(width: 1 << 14, height: 1 << 14))
  }
  #expect(String(describing: error!).contains("cannot hold its 16384x16384 pixels"))
  #expect(throws: ImageFileError.self) { try Image(pngBytes: pngClaiming(width: 0, height: 5)) }
}

/// Bits flipped, bytes overwritten, parts cut out or doubled: an image or an error, never a crash.
@Test func mutatedPNGsNeverCrash() throws {
  var generator = SeededGenerator(state: 7)
  let folder = Goldens.folder.appendingPathComponent("pngs")
  let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  #expect(names.count == 38)
  var readCount = 0
  for name in names {
    let original = Array(try Data(contentsOf: folder.appendingPathComponent(name)))
    for _ in 0..<60 {
      let bytes = withValidChecksums(mutated(original, using: &generator))
      if let image = try? Image(pngBytes: bytes) {
        readCount += 1
        #expect(image.samples.count == image.width * image.height * image.channelCount)
      }
    }
  }
  // Some mutations do not matter; most must be noticed.
  #expect(readCount < names.count * 30)
}

private func mutated(_ original: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
  var bytes = original
  for _ in 0..<Int.random(in: 1...4, using: &generator) {
    let index = Int.random(in: 8..<bytes.count, using: &generator)
    let length = min(bytes.count - index, Int.random(in: 1...20, using: &generator))
    switch Int.random(in: 0..<4, using: &generator) {
    case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1: bytes[index] = UInt8.random(in: 0...255, using: &generator)
    case 2 where bytes.count - length > 9: bytes.removeSubrange(index..<index + length)
    default: bytes.insert(contentsOf: bytes[index..<index + length], at: index)
    }
  }
  return bytes
}

/// Repairs the checksum of every chunk that can be followed, so that damage reaches the decoder.
private func withValidChecksums(_ original: [UInt8]) -> [UInt8] {
  var bytes = original
  var position = 8
  while position + 12 <= bytes.count {
    let length = bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
    let end = position + 8 + length
    guard end + 4 <= bytes.count else { break }
    bytes.replaceSubrange(end..<end + 4, with: bigEndian(checksum(bytes[position + 4..<end])))
    position = end + 4
  }
  return bytes
}

private func pngClaiming(width: Int, height: Int) -> [UInt8] {
  let parts: [(String, [UInt8])] = [
    ("IHDR", bigEndian(UInt32(width)) + bigEndian(UInt32(height)) + [8, 2, 0, 0, 0]),
    ("IDAT", [0x78, 0x9C, 0x63, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01]), ("IEND", []),
  ]
  return parts.reduce([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { bytes, part in
    let body = Array(part.0.utf8) + part.1
    return bytes + bigEndian(UInt32(part.1.count)) + body + bigEndian(checksum(body[...]))
  }
}

private func bigEndian(_ value: UInt32) -> [UInt8] {
  [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
}

/// CRC-32 as PNG uses it.
private func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
  var sum: UInt32 = 0xFFFF_FFFF
  for byte in bytes {
    sum ^= UInt32(byte)
    for _ in 0..<8 { sum = sum >> 1 ^ (sum & 1 == 1 ? 0xEDB8_8320 : 0) }
  }
  return ~sum
}
