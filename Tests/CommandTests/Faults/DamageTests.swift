import Foundation
import Tensors
import TestSupport
import Testing

/// Run folders whose files were damaged.
@Suite(.serialized) struct DamageTests {
  private let training = TinyTraining.all[1]
  private let folder: TemporaryFolder
  private let expected: TinyTraining.Result
  private let newest: Int

  /// A finished run, `whole`, with its last two checkpoints.
  init() throws {
    folder = try training.makeFolder()
    let whole = try Attune.run(training.start("whole"), in: folder)
    #expect(whole.status == 0, "\(whole.output)")
    expected = try training.result(folder.file("whole"))
    let iterations = TinyTraining.checkpoints(folder.file("whole"))
    #expect(iterations.count == 2)
    newest = try #require(iterations.last)
  }

  private func checkpoint(_ run: String, _ iteration: Int) -> String {
    "\(run)/checkpoints/iteration-\(String(repeating: "0", count: 5))\(iteration).safetensors"
  }

  private func copy(_ name: String) throws {
    try FileManager.default.copyItem(
      atPath: folder.file("whole"), toPath: folder.file(name))
  }

  /// Goes on with a copy whose newest checkpoint was changed.
  private func resume(
    _ name: String, after change: (inout [UInt8]) -> Void
  ) throws -> ProgramOutcome {
    try copy(name)
    var bytes = try folder.bytes(checkpoint(name, newest))
    change(&bytes)
    try folder.write(bytes, to: checkpoint(name, newest))
    return try Attune.run(training.resume(name), in: folder)
  }

  @Test func truncatedCheckpointsArePassedOver() throws {
    let size = try folder.bytes(checkpoint("whole", newest)).count
    for length in [0, 1, 8, 100, size / 2, size - 1] {
      let outcome = try resume("cut\(length)") { $0.removeLast($0.count - length) }
      #expect(outcome.status == 0, "\(outcome.output)")
      #expect(outcome.lines.count == 1, "\(outcome.output)")
      #expect(outcome.standardError.hasPrefix("attune: warning: "), "\(outcome.output)")
      #expect(outcome.standardError.contains("taking the checkpoint before it"))
      #expect(try training.result(folder.file("cut\(length)")) == expected)
    }
  }

  @Test func flippedBitsAreNoticed() throws {
    let size = try folder.bytes(checkpoint("whole", newest)).count
    var random = RandomStream(seed: 8)
    let places = [0, 7, 8, 9, size - 1] + (0..<10).map { _ in random.integer(below: size) }
    for place in places {
      let name = "flipped\(place)"
      let outcome = try resume(name) { $0[place] ^= 1 << (place % 8) }
      #expect(outcome.status == 0, "byte \(place): \(outcome.output)")
      #expect(
        outcome.standardError.contains("taking the checkpoint before it"),
        "byte \(place) of \(size): \(outcome.output)")
      #expect(outcome.lines.count == 1, "\(outcome.output)")
      #expect(try training.result(folder.file(name)) == expected, "byte \(place)")
    }
  }

  @Test func withoutAValidCheckpointOneIsTold() throws {
    try copy("lost")
    for iteration in [newest - 1, newest] {
      try folder.write("nothing", to: checkpoint("lost", iteration))
    }
    let outcome = try Attune.run(training.resume("lost"), in: folder)
    #expect(outcome.status == 1 && outcome.lines.count == 3, "\(outcome.output)")
    #expect(outcome.standardError.contains("no checkpoint that can be read"))
    #expect(try folder.text("lost/metrics.jsonl") == expected.metrics)
  }

  @Test func lastLineOfMetricsMayBeCut() throws {
    try copy("cut")
    try FileManager.default.removeItem(atPath: folder.file(checkpoint("cut", newest)))
    try folder.write(String(expected.metrics.dropLast(20)), to: "cut/metrics.jsonl")
    let outcome = try Attune.run(training.resume("cut"), in: folder)
    #expect(outcome.status == 0 && outcome.output.isEmpty, "\(outcome.output)")
    #expect(try training.result(folder.file("cut")) == expected)
  }

  @Test func otherDamageIsNamed() throws {
    try copy("damaged")
    let settings = try folder.text("damaged/config.yaml")
    let metrics = try folder.text("damaged/metrics.jsonl")
    let damages: [(String, [UInt8], [UInt8])] = [
      ("config.yaml", [], Array(settings.utf8)),
      ("config.yaml", Array("a: [".utf8), Array(settings.utf8)),
      ("config.yaml", [0xFF, 0xFE, 0x00], Array(settings.utf8)),
      ("metrics.jsonl", Array("nonsense\n\(metrics)".utf8), Array(metrics.utf8)),
      ("metrics.jsonl", [0xFF, 0x0A] + Array(metrics.utf8), Array(metrics.utf8)),
    ]
    for (name, damage, sound) in damages {
      try folder.write(damage, to: "damaged/\(name)")
      let outcome = try Attune.run(training.resume("damaged"), in: folder)
      expectOneLine(outcome, "damaged/\(name)")
      try folder.write(sound, to: "damaged/\(name)")
    }
    let outcome = try Attune.run(training.resume("damaged"), in: folder)
    #expect(outcome.status == 0, "\(outcome.output)")
    #expect(try training.result(folder.file("damaged")) == expected)
  }
}
