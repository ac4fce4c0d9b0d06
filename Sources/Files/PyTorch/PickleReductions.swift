import Configuration

/// What the few allowed classes and functions amount to.
enum PickleReductions {
  static let advice =
    "save only tensors, numbers, texts, lists and dictionaries, "
    + "as in torch.save(model.state_dict(), path)"
}

extension Unpickler {
  /// Stands for calling a class or function with arguments.
  mutating func reduce(
    _ function: PickleGlobal, _ arguments: [PickleItem]
  ) throws(FileError) -> PickleItem {
    switch function {
    case .orderedDictionary: return try orderedDictionary(arguments)
    case .defaultDictionary:
      // Its argument makes missing values, of which a file has none.
      return try add(PickleObject(kind: .dictionary))
    case .foreign(let name): return try foreign(name, items: arguments)
    case .rebuildTensor: return try tensor(arguments)
    case .rebuildTypedTensor: return try typedTensor(arguments)
    case .rebuildFromType:
      // (function, type, its arguments, state): the tensor alone counts.
      guard arguments.count >= 3, case .global(let inner) = arguments[0],
        [PickleGlobal.rebuildTensor, .rebuildTypedTensor, .rebuildParameter].contains(
          where: { $0.name == inner.name })
      else { throw malformed("rebuilds something other than a tensor") }
      return try reduce(inner, try tuple(arguments[2], "a tensor's arguments"))
    case .rebuildParameter:
      guard let first = arguments.first, case .object(let index) = first,
        case .tensor = objects[index].kind
      else { throw malformed("has a parameter that is not a tensor") }
      return first
    case .size:
      guard arguments.count == 1 else { throw malformed("has a torch.Size without sizes") }
      return try add(PickleObject(kind: .tuple, items: tuple(arguments[0], "sizes")))
    case .device:
      guard case .text(let name)? = arguments.first else {
        throw malformed("has a torch.device without a name")
      }
      return .text(name)
    case .encode: return .bytes(try encoded(arguments))
    case .numPyType: return try numPyType(arguments)
    case .numPyScalar: return try numPyScalar(arguments)
    case .numPyReconstruct:
      guard case .global(.numPyArray)? = arguments.first else {
        throw malformed("reconstructs something other than a NumPy array")
      }
      return try add(PickleObject(kind: .emptyArray))
    case .numPyFromBuffer: return try numPyArray(fromBuffer: arguments)
    case .storage, .untypedStorage, .elementType, .numPyArray:
      throw FileError(
        .unsupported, path: archive.path, item: function.name, problem: "is called",
        advice: PickleReductions.advice)
    }
  }

  /// Stands for setting an object's state.
  mutating func build(_ item: PickleItem, _ state: PickleItem) throws(FileError) {
    guard case .object(let index) = item else {
      throw malformed("sets the state of \(item.kind)")
    }
    switch objects[index].kind {
    case .dictionary:
      // A state_dict carries its modules' versions as an attribute; nobody here reads them.
      return
    case .numPyType(let type, _):
      let isBigEndian = try isBigEndian(type, state)
      become(index, .numPyType(type, isBigEndian: isBigEndian))
    case .emptyArray: become(index, try numPyArray(fromState: state))
    case .foreign: try append([state], to: index)
    default: throw malformed("sets the state of something that has none")
    }
  }

  /// What stands for an object of a class that is not built.
  mutating func foreign(_ name: String, items: [PickleItem]) throws(FileError) -> PickleItem {
    try add(PickleObject(kind: .foreign(className: name), items: items))
  }

  /// The items of a tuple.
  func tuple(_ item: PickleItem, _ what: String) throws(FileError) -> [PickleItem] {
    guard case .object(let index) = item, case .tuple = objects[index].kind else {
      throw malformed("has \(item.kind) for \(what), not a tuple")
    }
    return objects[index].items
  }

  /// The items of a tuple of integers.
  func integers(_ item: PickleItem, _ what: String) throws(FileError) -> [Int] {
    var integers: [Int] = []
    for item in try tuple(item, what) {
      guard case .integer(let integer) = item else {
        throw malformed("has \(item.kind) among \(what)")
      }
      integers.append(integer)
    }
    return integers
  }

  private mutating func orderedDictionary(_ arguments: [PickleItem]) throws(FileError) -> PickleItem
  {
    var items: [PickleItem] = []
    // Python 2 passed a list of pairs.
    if let first = arguments.first {
      guard arguments.count == 1, case .object(let index) = first, case .list = objects[index].kind
      else { throw malformed("makes an OrderedDict of something other than pairs") }
      try budget.check(items: 2 * objects[index].items.count)
      for pair in objects[index].items {
        guard case .object(let index) = pair, objects[index].items.count == 2 else {
          throw malformed("makes an OrderedDict of something other than pairs")
        }
        items += objects[index].items
      }
    }
    return try add(PickleObject(kind: .dictionary, items: items))
  }
}

// MARK: - Tensors

extension Unpickler {
  /// Stands for looking up a storage by `('storage', class, key, device, element count)`.
  mutating func storage(_ identifier: [PickleItem]) throws(FileError) -> PickleItem {
    guard identifier.count >= 5, case .text("storage") = identifier[0],
      case .global(let global) = identifier[1], case .text(let key) = identifier[2],
      case .integer(let count) = identifier[4], count >= 0,
      // What has no type of its own is counted in bytes.
      let type = global.storageType
    else { throw malformed("refers to something other than a typed storage") }
    guard let byteCount = archive.storageByteCount(key) else {
      throw FileError(
        .truncated, path: archive.path, item: "data/\(key.printable(limit: 40))",
        problem: "is used, but is not in the archive", advice: "the file is damaged")
    }
    guard let expected = Checked.product([count, type.byteCount]), expected <= byteCount else {
      throw FileError(
        .malformed, path: archive.path, item: "data/\(key.printable(limit: 40))",
        problem: "has \(byteCount) bytes, too few for \(count) elements of \(type.rawValue)",
        advice: "the file is damaged")
    }
    return try add(PickleObject(kind: .storage(type, key: key, count: count)))
  }

  /// Stands for `_rebuild_tensor_v2(storage, offset, size, stride, ...)`.
  private mutating func tensor(_ arguments: [PickleItem]) throws(FileError) -> PickleItem {
    try tensor(arguments, as: nil)
  }

  /// Stands for `_rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype,
  /// ...)`, whose storage is counted in bytes.
  private mutating func typedTensor(_ arguments: [PickleItem]) throws(FileError) -> PickleItem {
    guard arguments.count >= 7, case .global(.elementType(let name)) = arguments[6] else {
      throw malformed("has a tensor without a type")
    }
    guard let type = ElementType(rawValue: name) else {
      throw FileError(
        .unsupported, path: archive.path, item: "torch.\(name)",
        problem: "is the type of a tensor that Attune does not read",
        advice: "convert it in Python, as in tensor.float()")
    }
    return try tensor(arguments, as: type)
  }

  /// A view of a storage's elements, or of its bytes as elements of another type.
  private mutating func tensor(
    _ arguments: [PickleItem], as ownType: ElementType?
  ) throws(FileError) -> PickleItem {
    guard arguments.count >= 4, case .object(let index) = arguments[0],
      case .storage(let storedType, let key, let storedCount) = objects[index].kind,
      case .integer(let offset) = arguments[1]
    else { throw malformed("has a tensor without a storage") }
    let type = ownType ?? storedType
    // The storage was found to be in the file, so that its bytes can be counted.
    let count = storedCount * storedType.byteCount / type.byteCount
    let shape = try integers(arguments[2], "a tensor's sizes")
    let strides = try integers(arguments[3], "a tensor's strides")
    guard shape.count == strides.count,
      let tensor = PyTorchTensor(
        view: StridedTensor(type, shape: shape, strides: strides),
        source: .storage(archive, key: key), offset: offset, sourceCount: count)
    else {
      throw FileError(
        .malformed, path: archive.path, item: "data/\(key.printable(limit: 40))",
        problem: "has \(count) elements, too few for a tensor of shape \(shape) with strides "
          + "\(strides) from element \(offset)",
        advice: "the file is damaged, or holds a huge expanded tensor: save a clone of it")
    }
    return try add(PickleObject(kind: .tensor(tensor)))
  }
}
