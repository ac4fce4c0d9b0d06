import Configuration

// Plain arrays and numbers of NumPy, which checkpoints contain where training code forgot to
// convert them.

extension Unpickler {
  /// Stands for `_codecs.encode(text, 'latin1')`, by which old protocols write bytes.
  mutating func encoded(_ arguments: [PickleItem]) throws(FileError) -> Bytes {
    guard case .text(let text)? = arguments.first, arguments.count == 2,
      case .text("latin1") = arguments[1]
    else { throw malformed("encodes something other than Latin-1 text") }
    try budget.spend(bytes: text.utf8.count)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      guard let byte = UInt8(exactly: scalar.value) else {
        throw malformed("encodes something other than Latin-1 text")
      }
      bytes.append(byte)
    }
    return Bytes(copying: bytes)
  }

  /// Stands for `numpy.dtype('f8', False, True)`.
  mutating func numPyType(_ arguments: [PickleItem]) throws(FileError) -> PickleItem {
    guard case .text(let code)? = arguments.first else {
      throw malformed("has a NumPy type without a code")
    }
    // The byte order follows as the type's state; one-byte types have none. Arrays of texts,
    // objects or records are not built.
    guard let type = ElementType.parsed(npyCode: "<" + code)?.type else {
      return try foreign("numpy.dtype '\(code.printable(limit: 20))'", items: [])
    }
    return try add(PickleObject(kind: .numPyType(type, isBigEndian: false)))
  }

  /// The byte order in the state of a NumPy type.
  func isBigEndian(_ type: ElementType, _ state: PickleItem) throws(FileError) -> Bool {
    let items = try tuple(state, "a NumPy type's state")
    guard items.count >= 2, case .text(let order) = items[1] else {
      throw malformed("has a NumPy type without a byte order")
    }
    guard order == "<" || order == ">" || (order == "|" && type.byteCount == 1) else {
      throw FileError(
        .unsupported, path: archive.path, item: "data.pkl",
        problem: "has a NumPy array of byte order '\(order.printable(limit: 4))'",
        advice: "save it little-endian")
    }
    return order == ">" && type.byteCount > 1
  }

  /// Stands for `scalar(dtype, bytes)`.
  mutating func numPyScalar(_ arguments: [PickleItem]) throws(FileError) -> PickleItem {
    guard arguments.count == 2, case .object(let index) = arguments[0] else {
      throw malformed("has a NumPy number without its bytes")
    }
    if objects[index].foreignName != nil { return try foreign("numpy scalar", items: arguments) }
    guard case .numPyType(let type, let isBigEndian) = objects[index].kind,
      case .bytes(let bytes) = arguments[1], bytes.count == type.byteCount
    else { throw malformed("has a NumPy number without its bytes") }
    let raw = StoredTensor(type, shape: [], bytes: bytes)
    let stored = isBigEndian ? raw.byteSwapped : raw
    if type == .bool { return .boolean(bytes[0] != 0) }
    if let integer = stored.integers?.first { return .integer(integer) }
    return .number(stored.doubles[0])
  }

  /// Stands for an array's state `(version, shape, dtype, is Fortran order, bytes)`.
  func numPyArray(fromState state: PickleItem) throws(FileError) -> PickleObject.Kind {
    let items = try tuple(state, "a NumPy array's state")
    guard items.count == 5, case .boolean(let isFortran) = items[3] else {
      throw malformed("has a NumPy array other than of plain numbers")
    }
    return try numPyArray(items[4], type: items[2], shape: items[1], isFortran: isFortran)
  }

  /// Stands for `_frombuffer(bytes, dtype, shape, order)`, by which protocol 5 writes arrays.
  mutating func numPyArray(fromBuffer items: [PickleItem]) throws(FileError) -> PickleItem {
    guard items.count == 4, case .text(let order) = items[3], order == "C" || order == "F" else {
      throw malformed("has a NumPy array other than of plain numbers")
    }
    let array = try numPyArray(items[0], type: items[1], shape: items[2], isFortran: order == "F")
    return try add(PickleObject(kind: array))
  }

  private func numPyArray(
    _ contents: PickleItem, type: PickleItem, shape: PickleItem, isFortran: Bool
  ) throws(FileError) -> PickleObject.Kind {
    if case .object(let index) = type, let name = objects[index].foreignName {
      return .foreign(className: "numpy.ndarray of \(name)")
    }
    guard case .bytes(let stored) = contents, case .object(let index) = type,
      case .numPyType(let type, let isBigEndian) = objects[index].kind
    else { throw malformed("has a NumPy array other than of plain numbers") }
    let bytes = isBigEndian ? swapped(stored, type) : stored
    let shape = try integers(shape, "an array's sizes")
    guard Checked.byteCount(shape: shape, of: type) == bytes.count else {
      throw malformed("has an array of shape \(shape), which are not its \(bytes.count) bytes")
    }
    let strides =
      isFortran
      ? StridedTensor.fortranStrides(shape)
      : Array(StridedTensor.fortranStrides(shape.reversed()).reversed())
    let view = StridedTensor(type, shape: shape, strides: strides)
    guard
      let tensor = PyTorchTensor(
        view: view, source: .bytes(bytes), offset: 0, sourceCount: bytes.count / type.byteCount)
    else { throw malformed("has an array of too many dimensions") }
    return .tensor(tensor)
  }

  /// The bytes of big-endian elements in the order of little-endian ones.
  private func swapped(_ bytes: Bytes, _ type: ElementType) -> Bytes {
    let count = bytes.count / type.byteCount
    let whole = bytes[0..<(count * type.byteCount)]
    return StoredTensor(type, shape: [count], bytes: whole).byteSwapped.bytes
  }
}
