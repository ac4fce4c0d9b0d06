/// Writes Thrift's compact protocol: fields by rising number, structures within structures.
struct ThriftWriter {
  private(set) var bytes: [UInt8] = []
  private var lastField = 0

  mutating func field(_ field: Int, _ value: Int32) { add(field, .int32, Int64(value)) }

  mutating func field(_ field: Int, count: Int) { add(field, .int64, Int64(count)) }

  mutating func field(_ field: Int, _ text: String) {
    header(field, .binary)
    string(text)
  }

  /// A structure with the fields that `body` writes.
  mutating func field(_ field: Int, _ body: (inout ThriftWriter) -> Void) {
    header(field, .structure)
    structure(body)
  }

  /// A list of structures.
  mutating func field<Element>(
    _ field: Int, structures elements: [Element], _ body: (inout ThriftWriter, Element) -> Void
  ) {
    header(field, .list)
    listHeader(.structure, count: elements.count)
    for element in elements { structure { body(&$0, element) } }
  }

  /// A list of whole numbers.
  mutating func field(_ field: Int, numbers: [Int32]) {
    header(field, .list)
    listHeader(.int32, count: numbers.count)
    for number in numbers { zigzag(Int64(number)) }
  }

  /// A list of texts.
  mutating func field(_ field: Int, texts: [String]) {
    header(field, .list)
    listHeader(.binary, count: texts.count)
    for text in texts { string(text) }
  }

  /// Ends the outermost structure.
  mutating func end() { bytes.append(0) }

  private mutating func structure(_ body: (inout ThriftWriter) -> Void) {
    let outer = lastField
    lastField = 0
    body(&self)
    end()
    lastField = outer
  }

  private mutating func header(_ field: Int, _ type: ThriftReader.FieldType) {
    let difference = field - lastField
    lastField = field
    if (1...15).contains(difference) {
      bytes.append(UInt8(difference) << 4 | type.rawValue)
    } else {
      bytes.append(type.rawValue)
      zigzag(Int64(field))
    }
  }

  private mutating func add(_ field: Int, _ type: ThriftReader.FieldType, _ value: Int64) {
    header(field, type)
    zigzag(value)
  }

  private mutating func listHeader(_ type: ThriftReader.FieldType, count: Int) {
    if count < 15 {
      bytes.append(UInt8(count) << 4 | type.rawValue)
    } else {
      bytes.append(0xF0 | type.rawValue)
      bytes.appendVarint(UInt64(count))
    }
  }

  private mutating func string(_ text: String) {
    bytes.appendVarint(UInt64(text.utf8.count))
    bytes += Array(text.utf8)
  }

  private mutating func zigzag(_ value: Int64) {
    bytes.appendVarint(UInt64(bitPattern: value << 1 ^ value >> 63))
  }
}

extension [UInt8] {
  /// Seven bits a byte, least significant first.
  mutating func appendVarint(_ number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(rest))
  }
}
