import Files
import Media
import TestSupport
import Testing

/// JPEG files that Pillow wrote, against what Pillow reads in them (Tests/Goldens/Media/jpeg.py).
@Suite struct JPEGReadingTests {
  private static let path = Repository.golden("Media/jpeg.safetensors")

  private func bytes(_ name: String) throws -> (shape: [Int], bytes: [UInt8]) {
    let stored = try SafetensorsFile(path: Self.path).storedTensor(named: name)
    return (stored.shape, stored.withUnsafeBytes { Array($0) })
  }

  @Test(arguments: ["usual", "odd", "half", "whole", "fine", "narrow", "grey", "progressive"])
  func samplesAreNearlyPillows(name: String) throws {
    let image = try Image(jpegBytes: bytes("\(name)/file").bytes)
    let (shape, expected) = try bytes("\(name)/image")
    #expect([image.height, image.width, image.channelCount] == shape)
    let differences = zip(image.samples, expected).map { abs(Int($0) - Int($1)) }
    let mean = Double(differences.reduce(0, +)) / Double(differences.count)
    #expect((differences.max() ?? 0) <= 3 && mean < 0.1, "\(differences.max() ?? 0), \(mean)")
  }

  @Test func whatIsNoJPEGIsRefused() throws {
    let whole = try bytes("usual/file").bytes
    func refusal(_ bytes: [UInt8]) -> String {
      let error = #expect(throws: ImageFileError.self) { try Image(jpegBytes: bytes, name: "x") }
      return error.map { "\($0)" } ?? ""
    }
    #expect(refusal([]).contains("x is not a JPEG that can be read: it is empty"))
    #expect(refusal([0x89, 0x50]).contains("it begins with bytes 89 50"))
    #expect(refusal(Array(whole.prefix(40))).hasPrefix("x is a damaged image: "))
    #expect(refusal([0xFF, 0xD8, 0xFF]).hasPrefix("x is a damaged image: "))
  }

  /// None of many damaged files stops the program, or gives an image of another size than it claims.
  @Test func damagedFilesDoNotCrash() throws {
    let whole = try bytes("odd/file").bytes
    for place in stride(from: 2, to: whole.count, by: 3) {
      for value: UInt8 in [0, 0xFF] {
        var damaged = whole
        damaged[place] = value
        guard let image = try? Image(jpegBytes: damaged) else { continue }
        #expect(image.samples.count == image.width * image.height * image.channelCount)
      }
    }
  }
}
