import Files
import Foundation
import SwiftProtobuf

/// Writes a TensorBoard event file: scalars and images by tag and step.
public final class EventWriter {
  /// The path of the file.
  public let path: String
  private let file: AppendedFile

  /// Starts a new event file in a folder.
  ///
  /// - Parameters:
  ///   - folder: the run folder, which TensorBoard is pointed at.
  ///   - step: the last one that stays; what earlier files say about later steps is hidden.
  /// - Throws: `FileError` if the system refuses.
  public convenience init(folder: String, resumingAfter step: Int? = nil) throws(FileError) {
    let seconds = Int(Date().timeIntervalSince1970)
    let host = ProcessInfo.processInfo.hostName
    let name = "events.out.tfevents.\(seconds).\(host).\(getpid())"
    // A run that is resumed within a second gets a name of its own; TensorBoard reads by name.
    var path = "\(folder)/\(name)"
    var number = 0
    while access(path, F_OK) == 0 {
      number += 1
      path = "\(folder)/\(name).\(number)"
    }
    try self.init(path: path)
    if let step { try hide(after: step) }
  }

  private init(path: String) throws(FileError) {
    self.path = path
    file = try AppendedFile(path: path)
    try append(step: 0) { $0.fileVersion = "brain.Event:2" }
  }

  private func hide(after step: Int) throws(FileError) {
    try append(step: step + 1) { event in
      event.sessionLog = .with { $0.status = .start }
    }
  }

  /// Adds numbers, each under its tag.
  ///
  /// - Throws: `FileError` if the system refuses, for instance because the disk is full.
  public func write(scalars: [String: Double], step: Int) throws(FileError) {
    guard !scalars.isEmpty else { return }
    try append(step: step) { event in
      event.summary.value = scalars.sorted { $0.key < $1.key }.map { tag, number in
        .with {
          $0.tag = tag
          $0.simpleValue = Float(number)
        }
      }
    }
  }

  /// Adds an image.
  ///
  /// - Parameters:
  ///   - png: the bytes of a PNG file; width, height and colors are read from its header.
  ///   - tag: the image's name.
  ///   - step: the step that it belongs to.
  /// - Throws: `FileError` if the system refuses.
  public func write(png: Data, tag: String, step: Int) throws(FileError) {
    guard let header = PNGHeader(png) else {
      preconditionFailure("the image '\(tag)' is not a PNG file")
    }
    try append(step: step) { event in
      event.summary.value = [
        .with {
          $0.tag = tag
          $0.image = .with {
            $0.height = header.height
            $0.width = header.width
            $0.colorspace = header.samples
            $0.encodedImageString = png
          }
        }
      ]
    }
  }

  private func append(
    step: Int, _ fill: (inout TensorBoardEvent) -> Void
  ) throws(FileError) {
    var event = TensorBoardEvent()
    event.wallTime = Date().timeIntervalSince1970
    event.step = Int64(step)
    fill(&event)
    let payload: [UInt8]
    do {
      payload = try event.serializedBytes()
    } catch {
      // Only messages beyond two gigabytes are refused.
      throw FileError(.tooLarge, path: path, problem: "cannot hold an event: \(error)")
    }
    try file.append(TFRecord.frame(payload))
  }
}

/// What an event needs to know about a PNG file.
struct PNGHeader {
  let width: Int32
  let height: Int32
  let samples: Int32

  /// Reads the first chunk; nil if the bytes are not a PNG file.
  init?(_ png: Data) {
    let bytes = [UInt8](png.prefix(26))
    guard bytes.count == 26, bytes[1...3].elementsEqual("PNG".utf8),
      let samples = [0: 1, 2: 3, 3: 3, 4: 2, 6: 4][Int(bytes[25])]
    else { return nil }
    width = bytes[16..<20].reduce(0) { $0 << 8 | Int32($1) }
    height = bytes[20..<24].reduce(0) { $0 << 8 | Int32($1) }
    self.samples = Int32(samples)
  }
}

/// The framing of TensorFlow's record files: length, its check, the payload, its check.
enum TFRecord {
  /// A payload with its frame.
  static func frame(_ payload: [UInt8]) -> [UInt8] {
    let length = littleEndian(UInt64(payload.count))
    return length + littleEndian(check(length)) + payload + littleEndian(check(payload))
  }

  /// The payloads of a file, as far as they are whole.
  static func payloads(_ bytes: [UInt8]) -> [[UInt8]] {
    var payloads: [[UInt8]] = []
    var rest = bytes[...]
    while rest.count >= 16 {
      let length = Array(rest.prefix(8))
      guard Array(rest.dropFirst(8).prefix(4)) == littleEndian(check(length)) else { break }
      let count = length.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      guard count <= UInt64(rest.count - 16) else { break }
      let payload = Array(rest.dropFirst(12).prefix(Int(count)))
      rest = rest.dropFirst(12 + Int(count))
      guard Array(rest.prefix(4)) == littleEndian(check(payload)) else { break }
      payloads.append(payload)
      rest = rest.dropFirst(4)
    }
    return payloads
  }

  private static func check(_ bytes: [UInt8]) -> UInt32 {
    var crc = CRC32C()
    bytes.withUnsafeBytes { crc.append($0) }
    return crc.masked
  }

  private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}

/// Castagnoli's cyclic redundancy check, which TFRecord frames and checkpoints carry.
public struct CRC32C: Sendable {
  /// Eight tables, so that eight bytes are taken at a time.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
      tables[byte] = value
    }
    for index in 256..<(8 * 256) {
      let previous = tables[index - 256]
      tables[index] = previous >> 8 ^ tables[Int(previous & 0xFF)]
    }
    return tables
  }()

  private var state = UInt32.max

  /// Starts with no bytes.
  public init() {}

  /// The check of `bytes`.
  public static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var crc = CRC32C()
    Array(bytes).withUnsafeBytes { crc.append($0) }
    return crc.value
  }

  /// The check of all bytes so far.
  public var value: UInt32 { ~state }

  /// The check as TFRecord stores it, so that a check of a check stays meaningful.
  var masked: UInt32 { (value >> 15 | value << 17) &+ 0xA282_EAD8 }

  /// Adds bytes.
  public mutating func append(_ bytes: UnsafeRawBufferPointer) {
    var state = state
    Self.tables.withUnsafeBufferPointer { tables in
      var index = 0
      while index + 8 <= bytes.count {
        let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
        let mixed = word ^ UInt64(state)
        var next: UInt32 = 0
        for byte in 0..<8 {
          next ^= tables[(7 - byte) * 256 + Int(mixed >> UInt64(8 * byte) & 0xFF)]
        }
        state = next
        index += 8
      }
      for byte in bytes[index...] {
        state = state >> 8 ^ tables[Int((state ^ UInt32(byte)) & 0xFF)]
      }
    }
    self.state = state
  }
}
