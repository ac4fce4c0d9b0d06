/// Reads numbers and ranges one after the other and throws where the bytes end.
struct ByteCursor {
  let bytes: Bytes
  /// The file that errors name.
  let path: String
  /// The part of the file that errors name.
  let part: String
  private(set) var position: Int

  init(_ bytes: Bytes, path: String, part: String, position: Int = 0) {
    precondition(position >= 0 && position <= bytes.count)
    self.bytes = bytes
    self.path = path
    self.part = part
    self.position = position
  }

  var remainingCount: Int { bytes.count - position }

  mutating func number<Number: FixedWidthInteger>(
    _ type: Number.Type = Number.self
  ) throws(FileError) -> Number {
    let start = try advance(MemoryLayout<Number>.size)
    return bytes.number(at: start, as: type)
  }

  mutating func take(_ count: Int) throws(FileError) -> Bytes {
    let start = try advance(count)
    return bytes[start..<(start + count)]
  }

  /// Moves past `count` bytes and gives the position before them.
  @discardableResult
  mutating func advance(_ count: Int) throws(FileError) -> Int {
    guard count >= 0, count <= remainingCount else {
      throw FileError(
        .truncated, path: path, item: part,
        problem: "ends at byte \(bytes.count), but \(count) bytes are due at byte \(position)",
        advice: "the file is incomplete or damaged: fetch it again")
    }
    defer { position += count }
    return position
  }
}
