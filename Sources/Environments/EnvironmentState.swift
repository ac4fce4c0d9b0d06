/// The saved state of an environment, exact to the last bit.
///
/// Each layer (a wrapper, the simulation in it) appends its own part behind a tag that names it,
/// and reads it back in the same order. Words are plain integers, so any file format can keep them.
public struct EnvironmentState: Equatable, Sendable, Codable {
  /// The contents: numbers as their bit patterns.
  public private(set) var words: [UInt64]

  /// An empty state.
  public init() { words = [] }

  /// Takes words that were kept in a file.
  public init(words: [UInt64]) { self.words = words }

  /// Begins the part of a layer.
  public mutating func appendTag(_ layer: String) { words.append(Self.hash(of: layer)) }

  /// Appends an integer.
  public mutating func append(_ value: UInt64) { words.append(value) }

  /// Appends an integer.
  public mutating func append(_ value: Int) { words.append(UInt64(bitPattern: Int64(value))) }

  /// Appends a truth value.
  public mutating func append(_ value: Bool) { words.append(value ? 1 : 0) }

  /// Appends a number.
  public mutating func append(_ value: Double) { words.append(value.bitPattern) }

  /// Appends a number.
  public mutating func append(_ value: Float) { words.append(UInt64(value.bitPattern)) }

  /// Appends numbers and their count.
  public mutating func append(contentsOf values: some Collection<Double>) {
    append(values.count)
    words.append(contentsOf: values.lazy.map(\.bitPattern))
  }

  /// Appends numbers and their count.
  public mutating func append(contentsOf values: some Collection<Float>) {
    append(values.count)
    words.append(contentsOf: values.lazy.map { UInt64($0.bitPattern) })
  }

  /// Appends bytes and their count, eight in a word.
  public mutating func append(contentsOf bytes: [UInt8]) {
    append(bytes.count)
    for start in stride(from: 0, to: bytes.count, by: 8) {
      let part = bytes[start..<min(start + 8, bytes.count)]
      words.append(part.reversed().reduce(0) { $0 << 8 | UInt64($1) })
    }
  }

  /// FNV-1a, 64 bits.
  private static func hash(of text: String) -> UInt64 {
    text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  /// Reads a state in the order in which it was written.
  public struct Reader {
    private var words: ArraySlice<UInt64>
    /// The layer being read, for error messages.
    private var layer = "environment"

    /// Starts at the beginning of a state.
    public init(_ state: EnvironmentState) { words = state.words[...] }

    /// Begins the part of a layer.
    ///
    /// - Throws: `EnvironmentError.stateMismatch` if another layer's part comes here.
    public mutating func readTag(_ layer: String) throws {
      self.layer = layer
      guard words.popFirst() == EnvironmentState.hash(of: layer) else { throw mismatch() }
    }

    /// Begins the part of one of some layers.
    ///
    /// - Returns: which of them it is.
    /// - Throws: `EnvironmentError.stateMismatch` if it is none of them.
    mutating func readTag(oneOf layers: [String]) throws -> Int {
      layer = layers[0]
      let word = words.popFirst()
      guard let place = layers.firstIndex(where: { EnvironmentState.hash(of: $0) == word }) else {
        throw mismatch()
      }
      return place
    }

    /// Reads an integer.
    public mutating func readWord() throws -> UInt64 {
      guard let word = words.popFirst() else { throw mismatch() }
      return word
    }

    /// Reads an integer.
    public mutating func readInteger() throws -> Int {
      Int(Int64(bitPattern: try readWord()))
    }

    /// Reads a truth value.
    public mutating func readFlag() throws -> Bool {
      let word = try readWord()
      guard word <= 1 else { throw mismatch() }
      return word == 1
    }

    /// Reads a number.
    public mutating func readDouble() throws -> Double { Double(bitPattern: try readWord()) }

    /// Reads a number.
    public mutating func readFloat() throws -> Float {
      guard let pattern = UInt32(exactly: try readWord()) else { throw mismatch() }
      return Float(bitPattern: pattern)
    }

    /// Reads numbers; `expectedCount` is their number where it is known.
    public mutating func readDoubles(expectedCount: Int? = nil) throws -> [Double] {
      try readCounted(expectedCount).map { Double(bitPattern: $0) }
    }

    /// Reads numbers; `expectedCount` is their number where it is known.
    public mutating func readFloats(expectedCount: Int? = nil) throws -> [Float] {
      try readCounted(expectedCount).map { word in
        guard let pattern = UInt32(exactly: word) else { throw mismatch() }
        return Float(bitPattern: pattern)
      }
    }

    /// Reads bytes; `expectedCount` is their number where it is known.
    public mutating func readBytes(expectedCount: Int? = nil) throws -> [UInt8] {
      let count = try readInteger()
      guard count >= 0, count <= words.count * 8, expectedCount.map({ $0 == count }) ?? true
      else { throw mismatch() }
      var bytes: [UInt8] = []
      bytes.reserveCapacity(count + 7)
      for _ in 0..<(count + 7) / 8 {
        let word = try readWord()
        for place in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> (8 * place))) }
      }
      return Array(bytes.prefix(count))
    }

    /// Checks that nothing is left.
    public func finish() throws {
      guard words.isEmpty else { throw mismatch() }
    }

    private mutating func readCounted(_ expectedCount: Int?) throws -> ArraySlice<UInt64> {
      let count = try readInteger()
      guard count >= 0, count <= words.count, expectedCount.map({ $0 == count }) ?? true else {
        throw mismatch()
      }
      defer { words = words.dropFirst(count) }
      return words.prefix(count)
    }

    private func mismatch() -> EnvironmentError { .stateMismatch(layer: layer) }
  }
}
