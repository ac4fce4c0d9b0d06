import Foundation
import TestSupport
import Testing

@testable import Files

/// What a file or folder holds, told by sixteen digits.
@Suite struct ContentFingerprintTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.file("a/inner"), withIntermediateDirectories: true)
    try folder.write("weights", to: "a/w.bin")
    try folder.write("words", to: "a/inner/merges.txt")
  }

  private func fingerprint(_ name: String) throws -> String? {
    try ContentFingerprint.of(folder.file(name))
  }

  @Test func dependsOnContentNotOnPlaceOrTime() throws {
    let first = try #require(try fingerprint("a"))
    #expect(first.count == 16)
    try FileManager.default.moveItem(atPath: folder.file("a"), toPath: folder.file("b"))
    try folder.write("weights", to: "b/w.bin")
    // Neither is learned from.
    try folder.write("about", to: "b/README.md")
    try folder.write("cache", to: "b/.cache")
    #expect(try fingerprint("b") == first)
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("link"), withDestinationPath: folder.file("b"))
    #expect(try fingerprint("link") == first)
  }

  @Test func everyByteNameAndSizeCounts() throws {
    let first = try fingerprint("a")
    try folder.write("weightz", to: "a/w.bin")
    let other = try fingerprint("a")
    #expect(other != first)
    try folder.write("weights", to: "a/w.bin")
    #expect(try fingerprint("a") == first)
    try FileManager.default.moveItem(
      atPath: folder.file("a/w.bin"), toPath: folder.file("a/v.bin"))
    #expect(try fingerprint("a") != first)
    try FileManager.default.moveItem(
      atPath: folder.file("a/v.bin"), toPath: folder.file("a/w.bin"))
    try folder.write("", to: "a/inner/more.txt")
    #expect(try fingerprint("a") != first)
  }

  /// Holes cost no disk: 300 MB, of which the last byte and one in the middle of a sample change.
  @Test func largeFilesAreSampledToTheirEnds() throws {
    let count = 300 << 20
    try folder.write("", to: "large")
    truncate(folder.file("large"), count)
    let first = try fingerprint("large")
    let samples = ContentFingerprint.samples(of: count)
    #expect(samples.count == 4 + 18)
    #expect(samples.first?.lowerBound == 0 && samples.last?.upperBound == count)
    #expect(samples.allSatisfy { $0.count == 4096 })
    var before = first
    for place in [count - 1, samples[7].lowerBound + 100] {
      let file = try FileHandle(forWritingTo: URL(filePath: folder.file("large")))
      try file.seek(toOffset: UInt64(place))
      try file.write(contentsOf: [1])
      try file.close()
      let after = try fingerprint("large")
      #expect(after != before)
      before = after
    }
    truncate(folder.file("large"), count + 1)
    #expect(try fingerprint("large") != before)
  }

  @Test func nothingHasNone() throws { #expect(try fingerprint("no/such") == nil) }
}
