/// Turns what the unpickler built into values that own their parts.
struct PickleConverter {
  let objects: [PickleObject]
  let path: String
  private var known: [Int: (value: PyTorchValue, count: Int)] = [:]
  private var pending: Set<Int> = []
  /// Objects whose tensors were counted as those of something that is not built.
  private var counted: Set<Int> = []

  private static let maxDepth = 64
  /// Of values, shared ones counted every time: a few lists that contain one another twice would
  /// otherwise take for ever to walk through.
  private static let maxValueCount = 1 << 24

  init(objects: [PickleObject], path: String) {
    self.objects = objects
    self.path = path
  }

  mutating func value(_ item: PickleItem) throws(FileError) -> PyTorchValue {
    try value(item, depth: 0).value
  }

  private mutating func value(
    _ item: PickleItem, depth: Int
  ) throws(FileError) -> (value: PyTorchValue, count: Int) {
    switch item {
    case .none: return (.none, 1)
    case .boolean(let value): return (.boolean(value), 1)
    case .integer(let value): return (.integer(value), 1)
    case .number(let value): return (.number(value), 1)
    case .text(let text): return (.text(text), 1)
    case .bytes(let bytes):
      return (.bytes(StoredTensor(.uint8, shape: [bytes.count], bytes: bytes)), 1)
    case .global(.elementType(let name)): return (.text("torch.\(name)"), 1)
    case .global(.foreign(let name)): return (.object(className: name, tensorCount: 0), 1)
    case .global(let global): throw incomplete("the class \(global.name)")
    case .object(let index): return try object(index, depth: depth)
    }
  }

  private mutating func object(
    _ index: Int, depth: Int
  ) throws(FileError) -> (value: PyTorchValue, count: Int) {
    if let known = known[index] { return known }
    if let name = objects[index].foreignName {
      let value = PyTorchValue.object(className: name, tensorCount: tensorCount(below: index))
      known[index] = (value, 1)
      return (value, 1)
    }
    guard depth < PickleConverter.maxDepth else {
      throw FileError(
        .tooLarge, path: path, item: "data.pkl",
        problem: "is nested more than \(PickleConverter.maxDepth) deep")
    }
    guard pending.insert(index).inserted else {
      throw FileError(
        .unsupported, path: path, item: "data.pkl", problem: "has a list that contains itself")
    }
    defer { pending.remove(index) }

    var count = 1
    var values: [PyTorchValue] = []
    for item in objects[index].items {
      let part = try value(item, depth: depth + 1)
      count += part.count
      guard count <= PickleConverter.maxValueCount else {
        throw FileError(
          .tooLarge, path: path, item: "data.pkl",
          problem: "holds more than \(PickleConverter.maxValueCount) values")
      }
      values.append(part.value)
    }
    let result = (value: try container(of: values, objects[index].kind), count: count)
    known[index] = result
    return result
  }

  private func container(
    of values: [PyTorchValue], _ kind: PickleObject.Kind
  ) throws(FileError) -> PyTorchValue {
    switch kind {
    case .list, .tuple: return .list(values)
    case .dictionary:
      return .dictionary(
        stride(from: 0, to: values.count - 1, by: 2).map {
          PyTorchValue.Entry(key: values[$0], value: values[$0 + 1])
        })
    case .tensor(let tensor): return .tensor(tensor)
    case .foreign(let name): return .object(className: name, tensorCount: 0)
    case .storage: throw incomplete("a storage outside a tensor")
    case .numPyType: throw incomplete("a NumPy type outside an array")
    case .emptyArray: throw incomplete("a NumPy array without contents")
    }
  }

  /// The tensors that an object which is not built holds, each counted once in the whole file. Such
  /// objects refer to one another in circles, and to their parents.
  private mutating func tensorCount(below index: Int) -> Int {
    var count = 0
    var pending = [index]
    while let index = pending.popLast() {
      guard counted.insert(index).inserted else { continue }
      if case .tensor = objects[index].kind { count += 1 }
      for case .object(let part) in objects[index].items { pending.append(part) }
    }
    return count
  }

  private func incomplete(_ what: String) -> FileError {
    FileError(
      .unsupported, path: path, item: "data.pkl", problem: "contains \(what)",
      advice: PickleReductions.advice)
  }
}
