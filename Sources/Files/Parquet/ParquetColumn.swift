/// A column of a parquet file: a leaf of its schema.
public struct ParquetColumn: Sendable, Equatable {
  /// How values are stored.
  public enum Storage: Sendable, Equatable {
    /// Numbers or booleans.
    case numbers(ElementType)
    /// Texts or other bytes.
    case bytes
    /// Something that Attune does not read, in words.
    case unreadable(String)
  }

  /// The names from the top of the schema to the leaf, joined by dots; those that a list itself
  /// adds, as in `action.list.element`, are left out.
  public let name: String
  /// How values are stored.
  public let storage: Storage
  /// The lists within lists that a row holds: 0 where a row has at most one value.
  public let listDepth: Int

  /// All names from the top of the schema to the leaf.
  let path: [String]
  /// Where it stands among the leaves.
  let index: Int
  let physicalType: ParquetPhysicalType
  /// Of a value of fixed length.
  let byteCount: Int
  /// The definition level of a value.
  let maxDefinitionLevel: Int
  /// The definition level from which on an element of the innermost list is there, if only as null.
  let elementDefinitionLevel: Int
}

/// The types of the format itself.
enum ParquetPhysicalType: Int32 {
  case boolean, int32, int64, int96, float, double, byteArray, fixedLengthByteArray
}

/// An element of the schema as the footer states it.
struct ParquetSchemaElement {
  var name = ""
  var physicalType: Int32?
  var byteCount = 0
  /// 0 required, 1 optional, 2 repeated.
  var repetition: Int32 = 0
  var childCount = 0
  var convertedType: Int32?
  var isUnsigned = false
  var isFloat16 = false
  var isList = false

  init(_ reader: inout ThriftReader) throws(FileError) {
    var element = ParquetSchemaElement()
    try reader.structure { reader, field, type throws(FileError) in
      switch (field, type) {
      case (1, .int32): element.physicalType = try reader.integer()
      case (2, .int32): element.byteCount = try reader.count()
      case (3, .int32): element.repetition = try reader.integer()
      case (4, .binary): element.name = try reader.string()
      case (5, .int32): element.childCount = try reader.count()
      case (6, .int32): element.convertedType = try reader.integer()
      case (10, .structure): try element.readLogicalType(&reader)
      default: try reader.skip(type)
      }
    }
    self = element
    if convertedType == ParquetConvertedType.list { isList = true }
    if let convertedType, ParquetConvertedType.unsigned.contains(convertedType) {
      isUnsigned = true
    }
  }

  private init() {}

  private mutating func readLogicalType(_ reader: inout ThriftReader) throws(FileError) {
    var (isList, isFloat16, isUnsigned) = (false, false, false)
    try reader.structure { reader, field, type throws(FileError) in
      switch field {
      case 3: isList = true
      case 15: isFloat16 = true
      case 10 where type == .structure:
        try reader.structure { reader, field, type throws(FileError) in
          if field == 2, type == .isFalse { isUnsigned = true }
          try reader.skip(type)
        }
        return
      default: break
      }
      try reader.skip(type)
    }
    (self.isList, self.isFloat16, self.isUnsigned) = (isList, isFloat16, isUnsigned)
  }
}

/// Annotations of the physical types, as older files make them.
enum ParquetConvertedType {
  static let utf8: Int32 = 0
  static let list: Int32 = 3
  static let decimal: Int32 = 5
  static let unsigned: ClosedRange<Int32> = 11...14
}

/// The leaves of a schema, which is a tree in depth-first order.
struct ParquetSchema {
  private(set) var columns: [ParquetColumn] = []

  private let elements: [ParquetSchemaElement]
  private let path: String
  private var position = 0

  private static let maxDepth = 16
  /// Names are joined for every leaf, so that long ones above many leaves would fill the memory.
  private static let maxNameByteCount = 1_024
  private static let maxColumnCount = 1 << 14

  init(_ elements: [ParquetSchemaElement], path: String) throws(FileError) {
    self.elements = elements
    self.path = path
    guard let root = elements.first else { throw malformed("has no root") }
    position = 1
    for _ in 0..<root.childCount { try addNode(Ancestors()) }
    guard position == elements.count else {
      throw malformed("has \(elements.count - position) elements that belong to nothing")
    }
    var names: Set<String> = []
    for column in columns where !names.insert(column.name).inserted {
      throw malformed("has the column '\(column.name.printable(limit: 100))' twice")
    }
  }

  /// What the elements above one amount to.
  private struct Ancestors {
    var path: [String] = []
    var shownPath: [String] = []
    var definitionLevel = 0
    var repetitionLevel = 0
    var elementDefinitionLevel = 0
    /// Inside the group that a list is: its repeated child and the element do not show.
    var hiddenCount = 0
  }

  private func malformed(_ problem: String) -> FileError {
    FileError(
      .malformed, path: path, item: "schema", problem: problem,
      advice: "the file is damaged: fetch or write it again")
  }

  private mutating func addNode(_ ancestors: Ancestors) throws(FileError) {
    guard position < elements.count else { throw malformed("lacks elements that it announces") }
    guard ancestors.path.count < ParquetSchema.maxDepth else {
      throw malformed("is nested too deep")
    }
    let element = elements[position]
    position += 1
    var own = ancestors
    own.path.append(element.name)
    if own.hiddenCount > 0 {
      own.hiddenCount -= 1
    } else {
      own.shownPath.append(element.name)
    }
    switch element.repetition {
    case 0: break
    case 1: own.definitionLevel += 1
    case 2:
      own.definitionLevel += 1
      own.repetitionLevel += 1
      own.elementDefinitionLevel = own.definitionLevel
    default: throw malformed("has an element of repetition \(element.repetition)")
    }
    if let physicalType = element.physicalType {
      try addLeaf(element, physicalType, own)
      return
    }
    guard element.childCount > 0 else {
      throw malformed("has the group '\(element.name.printable(limit: 100))' with nothing in it")
    }
    // Lists of old writers have no element between the repeated child and several fields.
    if element.childCount > 1 { own.hiddenCount = 0 }
    if element.isList { own.hiddenCount = 2 }
    for _ in 0..<element.childCount { try addNode(own) }
  }

  private mutating func addLeaf(
    _ element: ParquetSchemaElement, _ number: Int32, _ own: Ancestors
  ) throws(FileError) {
    guard element.childCount == 0, let type = ParquetPhysicalType(rawValue: number) else {
      throw malformed("has the leaf '\(element.name.printable(limit: 100))' of type \(number)")
    }
    guard columns.count < ParquetSchema.maxColumnCount,
      own.path.reduce(0, { $0 + $1.utf8.count }) <= ParquetSchema.maxNameByteCount
    else {
      throw FileError(
        .tooLarge, path: path, item: "schema",
        problem: "has more than \(ParquetSchema.maxColumnCount) columns, or names of more than "
          + "\(ParquetSchema.maxNameByteCount) bytes",
        advice: "write fewer columns, with shorter names")
    }
    columns.append(
      ParquetColumn(
        name: own.shownPath.joined(separator: "."),
        storage: ParquetSchema.storage(of: element, type), listDepth: own.repetitionLevel,
        path: own.path, index: columns.count, physicalType: type,
        byteCount: type.byteCount ?? element.byteCount, maxDefinitionLevel: own.definitionLevel,
        elementDefinitionLevel: own.elementDefinitionLevel))
  }

  private static func storage(
    of element: ParquetSchemaElement, _ type: ParquetPhysicalType
  ) -> ParquetColumn.Storage {
    if element.convertedType == ParquetConvertedType.decimal { return .unreadable("decimals") }
    switch type {
    case .boolean: return .numbers(.bool)
    case .int32: return .numbers(element.isUnsigned ? .uint32 : .int32)
    case .int64: return .numbers(element.isUnsigned ? .uint64 : .int64)
    case .float: return .numbers(.float32)
    case .double: return .numbers(.float64)
    case .int96: return .unreadable("INT96 (times of old writers)")
    case .byteArray: return .bytes
    case .fixedLengthByteArray:
      return element.isFloat16 && element.byteCount == 2
        ? .numbers(.float16) : element.byteCount > 0 ? .bytes : .unreadable("values of no length")
    }
  }
}

extension ParquetPhysicalType {
  /// The bytes of a value; nil where they vary, or the schema states them.
  fileprivate var byteCount: Int? {
    switch self {
    case .boolean: 1
    case .int32, .float: 4
    case .int64, .double: 8
    case .int96: 12
    case .byteArray: 0
    case .fixedLengthByteArray: nil
    }
  }
}
