import Configuration

/// A machine for Python's pickle format, protocols 2 to 5, that builds tensors, numbers, texts,
/// lists and dictionaries and can do nothing else.
struct Unpickler {
  let archive: PyTorchArchive
  var budget: PickleBudget
  private(set) var objects: [PickleObject] = []
  private var cursor: ByteCursor
  private var stack: [PickleItem] = []
  /// The heights of the stack at the marks set.
  private var marks: [Int] = []
  private var memo: [Int: PickleItem] = [:]

  /// A checkpoint of ten thousand tensors takes some hundred thousand.
  private static let maxOperationCount = 1 << 22

  init(_ bytes: Bytes, archive: PyTorchArchive) {
    self.archive = archive
    budget = PickleBudget(pickleByteCount: bytes.count, path: archive.path)
    cursor = ByteCursor(bytes, path: archive.path, part: "data.pkl")
  }

  /// Runs the pickle to its end and gives what it built.
  mutating func value() throws(FileError) -> PyTorchValue {
    let result = try run()
    var converter = PickleConverter(objects: objects, path: archive.path)
    return try converter.value(result)
  }

  private mutating func run() throws(FileError) -> PickleItem {
    for _ in 0..<Unpickler.maxOperationCount {
      let code = try cursor.number(UInt8.self)
      guard let operation = PickleOperation(rawValue: code) else {
        throw malformed("has the unknown operation 0x\(String(code, radix: 16))")
      }
      if operation == .stop { return try pop() }
      if try performSimple(operation) { continue }
      if try performContainer(operation) { continue }
      try performCall(operation)
    }
    throw FileError(
      .tooLarge, path: archive.path, item: "data.pkl",
      problem: "takes more than \(Unpickler.maxOperationCount) operations",
      advice: "keep large arrays in tensors")
  }

  func malformed(_ problem: String) -> FileError {
    FileError(
      .malformed, path: archive.path, item: "data.pkl",
      problem: "\(problem) (byte \(cursor.position))", advice: "the file is damaged or hostile")
  }

  mutating func add(_ object: PickleObject) throws(FileError) -> PickleItem {
    try budget.spend(items: 1 + object.items.count)
    objects.append(object)
    return .object(objects.count - 1)
  }

  /// Replaces what an object is.
  mutating func become(_ index: Int, _ kind: PickleObject.Kind) { objects[index].kind = kind }

  // MARK: The stack

  private mutating func push(_ item: PickleItem) { stack.append(item) }

  private mutating func pop() throws(FileError) -> PickleItem {
    guard stack.count > marks.last ?? 0, let item = stack.popLast() else {
      throw malformed("takes more from the stack than there is")
    }
    return item
  }

  private func top() throws(FileError) -> PickleItem {
    guard stack.count > marks.last ?? 0, let item = stack.last else {
      throw malformed("looks at an empty stack")
    }
    return item
  }

  private mutating func popToMark() throws(FileError) -> [PickleItem] {
    guard let mark = marks.popLast() else { throw malformed("lacks a mark") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private func container(_ item: PickleItem, _ what: String) throws(FileError) -> Int {
    guard case .object(let index) = item else {
      throw malformed("adds elements to \(item.kind), not to \(what)")
    }
    switch (objects[index].kind, what) {
    case (.list, "a list"), (.dictionary, "a dictionary"), (.foreign, _): return index
    default: throw malformed("adds elements to something other than \(what)")
    }
  }

  private mutating func extendList(_ items: [PickleItem]) throws(FileError) {
    try append(items, to: try container(try top(), "a list"))
  }

  /// Gives an object more items.
  mutating func append(_ items: [PickleItem], to index: Int) throws(FileError) {
    try budget.spend(items: items.count)
    objects[index].items += items
  }

  private mutating func extendDictionary(_ items: [PickleItem]) throws(FileError) {
    guard items.count.isMultiple(of: 2) else { throw malformed("has a key without a value") }
    try append(items, to: try container(try top(), "a dictionary"))
  }

  private func remembered(_ index: Int) throws(FileError) -> PickleItem {
    guard let item = memo[index] else { throw malformed("recalls what it never stored") }
    return item
  }
}

// MARK: - Operations

extension Unpickler {
  /// Numbers, texts, the stack and the memo; false if the operation is none of them.
  private mutating func performSimple(_ operation: PickleOperation) throws(FileError) -> Bool {
    switch operation {
    case .proto:
      let version = try cursor.number(UInt8.self)
      guard (2...5).contains(version) else {
        throw FileError(
          .unsupported, path: archive.path, item: "data.pkl",
          problem: "has pickle protocol \(version), not 2 to 5")
      }
    case .frame: try cursor.advance(8)
    case .none: push(.none)
    case .newTrue: push(.boolean(true))
    case .newFalse: push(.boolean(false))
    case .binInt: push(.integer(Int(try cursor.number(Int32.self))))
    case .binInt1: push(.integer(Int(try cursor.number(UInt8.self))))
    case .binInt2: push(.integer(Int(try cursor.number(UInt16.self))))
    case .long1: push(try long(Int(try cursor.number(UInt8.self))))
    case .long4: push(try long(Int(try cursor.number(Int32.self))))
    case .binFloat:
      // The only big-endian number of the format.
      push(.number(Double(bitPattern: try cursor.number(UInt64.self).byteSwapped)))
    case .shortBinUnicode: push(.text(try text(Int(try cursor.number(UInt8.self)))))
    case .binUnicode: push(.text(try text(Int(try cursor.number(UInt32.self)))))
    case .binUnicode8: push(.text(try text(try wideCount())))
    case .shortBinString, .shortBinBytes:
      push(.bytes(try cursor.take(Int(try cursor.number(UInt8.self)))))
    case .binString, .binBytes: push(.bytes(try cursor.take(Int(try cursor.number(UInt32.self)))))
    case .binBytes8, .byteArray8: push(.bytes(try cursor.take(try wideCount())))
    case .pop:
      if stack.count == marks.last ?? -1 { marks.removeLast() } else { _ = try pop() }
    case .popMark: _ = try popToMark()
    case .duplicate: push(try top())
    case .mark: marks.append(stack.count)
    case .binGet: push(try remembered(Int(try cursor.number(UInt8.self))))
    case .longBinGet: push(try remembered(Int(try cursor.number(UInt32.self))))
    case .binPut: memo[Int(try cursor.number(UInt8.self))] = try top()
    case .longBinPut: memo[Int(try cursor.number(UInt32.self))] = try top()
    case .memoize: memo[memo.count] = try top()
    default: return false
    }
    return true
  }

  /// Lists, tuples and dictionaries; false if the operation is none of them.
  private mutating func performContainer(_ operation: PickleOperation) throws(FileError) -> Bool {
    switch operation {
    case .emptyList: push(try add(PickleObject(kind: .list)))
    case .list: push(try add(PickleObject(kind: .list, items: popToMark())))
    case .append: try extendList([try pop()])
    case .appends: try extendList(try popToMark())
    case .emptyTuple: push(try add(PickleObject(kind: .tuple)))
    case .tuple: push(try add(PickleObject(kind: .tuple, items: popToMark())))
    case .tuple1: try pushTuple(1)
    case .tuple2: try pushTuple(2)
    case .tuple3: try pushTuple(3)
    case .emptyDictionary: push(try add(PickleObject(kind: .dictionary)))
    case .dictionary:
      let items = try popToMark()
      push(try add(PickleObject(kind: .dictionary)))
      try extendDictionary(items)
    case .setItem:
      let value = try pop()
      try extendDictionary([try pop(), value])
    case .setItems: try extendDictionary(try popToMark())
    case .emptySet: push(try foreign("builtins.set", items: []))
    case .frozenSet: push(try foreign("builtins.frozenset", items: try popToMark()))
    case .addItems:
      let items = try popToMark()
      guard case .object(let index) = try top(), objects[index].foreignName != nil else {
        throw malformed("adds elements to something other than a set")
      }
      try append(items, to: index)
    default: return false
    }
    return true
  }

  /// What in Python would find and call something.
  private mutating func performCall(_ operation: PickleOperation) throws(FileError) {
    switch operation {
    case .global:
      let module = try line()
      push(.global(try global(module: module, name: try line())))
    case .stackGlobal:
      guard case .text(let name) = try pop(), case .text(let module) = try pop() else {
        throw malformed("names a class by something other than texts")
      }
      push(.global(try global(module: module, name: name)))
    case .reduce, .newObject:
      let arguments = try tuple(try pop(), "arguments")
      guard case .global(let function) = try pop() else {
        throw malformed("calls something that is not a class")
      }
      push(try reduce(function, arguments))
    case .newObjectKeywords:
      let keywords = try pop()
      let arguments = try tuple(try pop(), "arguments")
      guard case .global(.foreign(let name)) = try pop() else {
        throw malformed("calls something that is not a class")
      }
      push(try foreign(name, items: arguments + [keywords]))
    case .build:
      let state = try pop()
      try build(try top(), state)
    case .binPersistentID: push(try storage(try tuple(try pop(), "storage")))
    default:
      throw FileError(
        .unsupported, path: archive.path, item: "data.pkl",
        problem: "uses the pickle operation '\(operation)'",
        advice: PickleReductions.advice)
    }
  }

  private mutating func pushTuple(_ count: Int) throws(FileError) {
    var items: [PickleItem] = []
    for _ in 0..<count { items.append(try pop()) }
    push(try add(PickleObject(kind: .tuple, items: items.reversed())))
  }

  private func global(module: String, name: String) throws(FileError) -> PickleGlobal {
    if let global = PickleGlobal(module: module, name: name) { return global }
    throw FileError(
      .unsupported, path: archive.path,
      item: "\(module.printable(limit: 100)).\(name.printable(limit: 100))",
      problem: "is a function or class that a checkpoint has no use for, and is not called",
      advice: PickleReductions.advice)
  }

  private mutating func line() throws(FileError) -> String {
    var text: [UInt8] = []
    while true {
      let byte = try cursor.number(UInt8.self)
      if byte == UInt8(ascii: "\n") { return String(decoding: text, as: UTF8.self) }
      guard text.count < 1_000 else { throw malformed("has a name of more than 1000 bytes") }
      text.append(byte)
    }
  }

  private mutating func text(_ count: Int) throws(FileError) -> String {
    // Python lets half a surrogate pair through; it is shown as a replacement character.
    let bytes = try cursor.take(count)
    try budget.spend(bytes: count)
    return bytes.text
  }

  private mutating func wideCount() throws(FileError) -> Int {
    guard let count = Int(exactly: try cursor.number(UInt64.self)) else {
      throw malformed("claims more bytes than the file holds")
    }
    return count
  }

  /// A signed integer in as few bytes as it needs; a larger one, as random states have, is not
  /// built.
  private mutating func long(_ count: Int) throws(FileError) -> PickleItem {
    let bytes = try cursor.take(count)
    guard count <= 8 else { return try foreign("an integer of more than 64 bits", items: []) }
    guard count > 0 else { return .integer(0) }
    var value: UInt64 = bytes[count - 1] & 0x80 == 0 ? 0 : .max
    for index in (0..<count).reversed() { value = value << 8 | UInt64(bytes[index]) }
    return .integer(Int(truncatingIfNeeded: value))
  }
}
