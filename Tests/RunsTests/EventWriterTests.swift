import Foundation
import SwiftProtobuf
import TestSupport
import Testing

@testable import Runs

@Suite struct EventWriterTests {
  /// A grey PNG of one pixel in width and two in height, from its header on.
  private let png = Data(
    [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]
      + [0, 0, 0, 1, 0, 0, 0, 2, 8, 0, 0, 0, 0])

  @Test func checksMatchKnownValues() {
    #expect(CRC32C.checksum("123456789".utf8) == 0xE306_9283)
    #expect(CRC32C.checksum([]) == 0)
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum(0..<32) == 0x46DD_794E)
  }

  @Test func checksDoNotDependOnPieces() {
    let bytes = (0..<100).map { UInt8($0 &* 37 % 251) }
    for cut in 0...20 {
      var crc = CRC32C()
      bytes[..<cut].withUnsafeBytes { crc.append($0) }
      bytes[cut...].withUnsafeBytes { crc.append($0) }
      #expect(crc.value == CRC32C.checksum(bytes))
    }
  }

  /// From TensorFlow's own description of the format: an empty record.
  @Test func framesAreThoseOfTFRecord() {
    let frame = TFRecord.frame([])
    #expect(frame == [0, 0, 0, 0, 0, 0, 0, 0, 0x29, 0x03, 0x98, 0x07, 0xD8, 0xEA, 0x82, 0xA2])
    let two = TFRecord.frame([1, 2, 3]) + TFRecord.frame([4])
    #expect(TFRecord.payloads(two) == [[1, 2, 3], [4]])
    #expect(TFRecord.payloads(two.dropLast()) == [[1, 2, 3]])
    var damaged = two
    damaged[13] ^= 1
    #expect(TFRecord.payloads(damaged).isEmpty)
  }

  @Test func writesScalarsImagesAndRestarts() throws {
    let temporary = try TemporaryFolder()
    let first = try EventWriter(folder: temporary.path)
    try first.write(scalars: ["loss": 0.5, "accuracy": 0.25], step: 3)
    try first.write(png: png, tag: "grid", step: 4)
    let second = try EventWriter(folder: temporary.path, resumingAfter: 3)
    #expect(second.path != first.path)
    #expect(second.path > first.path)

    let events = try read(first.path)
    #expect(events.count == 3)
    #expect(events[0].fileVersion == "brain.Event:2")
    #expect(abs(events[0].wallTime - Date().timeIntervalSince1970) < 600)
    #expect(events[1].step == 3)
    #expect(events[1].summary.value.map(\.tag) == ["accuracy", "loss"])
    #expect(events[1].summary.value.map(\.simpleValue) == [0.25, 0.5])
    let image = events[2].summary.value[0].image
    #expect(image.width == 1 && image.height == 2 && image.colorspace == 1)
    #expect(image.encodedImageString == png)
    let restart = try read(second.path)
    #expect(restart.count == 2)
    #expect(restart[1].sessionLog.status == .start && restart[1].step == 4)
  }

  private func read(_ path: String) throws -> [TensorBoardEvent] {
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    return try TFRecord.payloads(bytes).map { try TensorBoardEvent(serializedBytes: $0) }
  }

  /// What TensorFlow's own writer wrote is read, field for field, and written back to the same
  /// bytes.
  @Test func goldenOfTensorBoardIsReadAndWritten() throws {
    let golden = Repository.golden("Runs/events.golden")
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: golden)))
    let payloads = TFRecord.payloads(bytes)
    let events = try payloads.map { try TensorBoardEvent(serializedBytes: $0) }
    #expect(events.count == 4)
    #expect(events[0].fileVersion == "brain.Event:2")
    #expect(events[1].sessionLog.status == .start && events[1].step == 11)
    #expect(events[2].summary.value[0].tag == "meanReturn")
    #expect(events[2].summary.value[0].simpleValue == 1.5)
    #expect(events[2].step == 12 && events[2].wallTime == 1_700_000_000.25)
    let image = events[3].summary.value[0].image
    #expect(image.height == 2 && image.width == 3 && image.colorspace == 3)
    #expect(image.encodedImageString == Data("not a png".utf8))
    let written: [[UInt8]] = try events.map { try $0.serializedBytes() }
    #expect(written == payloads)
    #expect(payloads.flatMap(TFRecord.frame) == bytes)
  }
}
