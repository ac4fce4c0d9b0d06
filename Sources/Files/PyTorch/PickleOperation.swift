/// The operations of pickle protocols 2 to 5 that are known, not all of them supported.
enum PickleOperation: UInt8 {
  case mark = 0x28  // (
  case stop = 0x2E  // .
  case pop = 0x30  // 0
  case popMark = 0x31  // 1
  case duplicate = 0x32  // 2
  case binInt = 0x4A  // J
  case binInt1 = 0x4B  // K
  case binInt2 = 0x4D  // M
  case none = 0x4E  // N
  case binPersistentID = 0x51  // Q
  case reduce = 0x52  // R
  case binString = 0x54  // T
  case shortBinString = 0x55  // U
  case binUnicode = 0x58  // X
  case append = 0x61  // a
  case build = 0x62  // b
  case global = 0x63  // c
  case dictionary = 0x64  // d
  case appends = 0x65  // e
  case binGet = 0x68  // h
  case instance = 0x69  // i
  case longBinGet = 0x6A  // j
  case list = 0x6C  // l
  case object = 0x6F  // o
  case binPut = 0x71  // q
  case longBinPut = 0x72  // r
  case setItem = 0x73  // s
  case tuple = 0x74  // t
  case setItems = 0x75  // u
  case emptyDictionary = 0x7D  // }
  case emptyList = 0x5D  // ]
  case emptyTuple = 0x29  // )
  case binFloat = 0x47  // G
  case binBytes = 0x42  // B
  case shortBinBytes = 0x43  // C
  case proto = 0x80
  case newObject = 0x81
  case extension1 = 0x82
  case extension2 = 0x83
  case extension4 = 0x84
  case tuple1 = 0x85
  case tuple2 = 0x86
  case tuple3 = 0x87
  case newTrue = 0x88
  case newFalse = 0x89
  case long1 = 0x8A
  case long4 = 0x8B
  case shortBinUnicode = 0x8C
  case binUnicode8 = 0x8D
  case binBytes8 = 0x8E
  case emptySet = 0x8F
  case addItems = 0x90
  case frozenSet = 0x91
  case newObjectKeywords = 0x92
  case stackGlobal = 0x93
  case memoize = 0x94
  case frame = 0x95
  case byteArray8 = 0x96
  case nextBuffer = 0x97
  case readOnlyBuffer = 0x98
}

/// A value on the unpickler's stack.
enum PickleItem {
  case none
  case boolean(Bool)
  case integer(Int)
  case number(Double)
  case text(String)
  case bytes(Bytes)
  case global(PickleGlobal)
  /// The index of an object. Objects refer to one another by index, so that neither circles nor
  /// deep nesting are a matter of memory management.
  case object(Int)

  /// What it is, for errors.
  var kind: String {
    switch self {
    case .none: "None"
    case .boolean: "a boolean"
    case .integer: "an integer"
    case .number: "a number"
    case .text: "a text"
    case .bytes: "bytes"
    case .global(let global): "the class \(global.name)"
    case .object: "an object"
    }
  }
}

/// A container or tensor that the unpickler has built, or part of one.
struct PickleObject {
  enum Kind {
    case list
    case tuple
    /// Keys and values in turn.
    case dictionary
    indirect case storage(ElementType, key: String, count: Int)
    indirect case tensor(PyTorchTensor)
    /// A NumPy type, little-endian until its state says otherwise.
    case numPyType(ElementType, isBigEndian: Bool)
    /// A NumPy array before its state.
    case emptyArray
    /// Something of a class that is not built; its items are what the pickle gave it.
    indirect case foreign(className: String)
  }

  var kind: Kind
  var items: [PickleItem] = []

  /// The class, of something that is not built.
  var foreignName: String? {
    if case .foreign(let name) = kind { name } else { nil }
  }
}

/// How much a pickle may still build.
///
/// Whatever is built stays until the pickle's end, and a few bytes can have a long list or text
/// that is already there copied over and over.
struct PickleBudget {
  /// Containers and their items.
  private var itemCount = PickleBudget.maxItemCount
  /// Of texts and of what they are encoded to.
  private var byteCount: Int
  private let path: String

  /// An operation of an honest pickle makes a container or an item of one, or both; see
  /// `Unpickler.maxOperationCount`.
  private static let maxItemCount = 1 << 23

  /// What a pickle may build that has this many bytes: each may be part of a text, and once more
  /// of the bytes that a text stands for.
  init(pickleByteCount: Int, path: String) {
    byteCount = 2 * pickleByteCount
    self.path = path
  }

  mutating func spend(items count: Int) throws(FileError) {
    try check(items: count)
    itemCount -= count
  }

  /// Throws if so many items are too many, and spends none.
  func check(items count: Int) throws(FileError) {
    guard count <= itemCount else {
      throw tooLarge("builds more than \(PickleBudget.maxItemCount) items")
    }
  }

  mutating func spend(bytes count: Int) throws(FileError) {
    guard count <= byteCount else { throw tooLarge("builds more bytes than it has itself") }
    byteCount -= count
  }

  private func tooLarge(_ problem: String) -> FileError {
    FileError(
      .tooLarge, path: path, item: "data.pkl", problem: problem,
      advice: "keep large arrays in tensors")
  }
}
