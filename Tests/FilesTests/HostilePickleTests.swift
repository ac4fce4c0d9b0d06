import Foundation
import TestSupport
import Testing

@testable import Files

/// Pickles written by hand, in the way that an attacker would.
struct HostilePickleTests {
  private func read(
    _ pickle: [UInt8], storages: [String: [UInt8]] = ["0": [UInt8](repeating: 0, count: 16)]
  ) throws -> PyTorchFile {
    let folder = try TemporaryFolder()
    var members = ["archive/data.pkl": [0x80, 2] + pickle]
    for (key, bytes) in storages { members["archive/data/\(key)"] = bytes }
    return try PyTorchFile(path: try folder.write(ZipBuilder(members).bytes, to: "x.pt"))
  }

  private func text(_ text: String) -> [UInt8] {
    [0x58] + little(UInt32(text.utf8.count)) + Array(text.utf8)
  }

  private func global(_ module: String, _ name: String) -> [UInt8] {
    Array("c\(module)\n\(name)\n".utf8)
  }

  private func integer(_ value: Int64) -> [UInt8] { [0x8A, 8] + little(value) }

  private func tuple(_ items: [UInt8]...) -> [UInt8] {
    Array("(".utf8) + items.flatMap { $0 } + Array("t".utf8)
  }

  /// The operations that build a tensor of float32.
  private func tensor(
    count: Int64 = 4, offset: Int64 = 0, shape: [Int64] = [4], strides: [Int64] = [1],
    key: String = "0"
  ) -> [UInt8] {
    let storage =
      tuple(
        text("storage"), global("torch", "FloatStorage"), text(key), text("cpu"), integer(count))
      + Array("Q".utf8)
    let sizes = tuple(shape.flatMap(integer)), steps = tuple(strides.flatMap(integer))
    return global("torch._utils", "_rebuild_tensor_v2")
      + tuple(storage, integer(offset), sizes, steps) + Array("R".utf8)
  }

  private func dictionary(_ value: [UInt8]) -> [UInt8] {
    Array("}".utf8) + text("a") + value + Array("s.".utf8)
  }

  @Test func aValidTensorIsRead() throws {
    let file = try read(dictionary(tensor()))
    #expect(file.names == ["a"])
    #expect(try file.storedTensor(named: "a").doubles == [0, 0, 0, 0])
    let view = try read(dictionary(tensor(offset: 1, shape: [3, 1], strides: [1, 99])))
    #expect(try view.storedTensor(named: "a").shape == [3, 1])
    let empty = try read(dictionary(tensor(count: 0, shape: [0, 5], strides: [5, 1])))
    #expect(try empty.storedTensor(named: "a").shape == [0, 5])
  }

  @Test(arguments: [
    ("posix", "system"), ("os", "system"), ("builtins", "eval"), ("builtins", "getattr"),
    ("__builtin__", "exec"), ("subprocess", "Popen"), ("torch", "load"),
    ("torch.hub", "load"), ("torch._utils", "_rebuild_qtensor"), ("numpy", "load"),
    ("importlib", "import_module"), ("os.path", "join"),
    ("numpy.testing._private.utils", "runstring"),
    ("\u{1B}[2J", "x"), ("torch.storage", "_load_from_bytes"),
  ])
  func classesAreRefusedByName(module: String, name: String) {
    let call = global(module, name) + tuple(text("touch attune-was-here")) + Array("R.".utf8)
    let error = #expect(throws: FileError.self) { try read(call) }
    #expect(error?.kind == .unsupported)
    #expect(error?.description.contains(name) == true)
    #expect(error?.description.unicodeScalars.contains("\u{1B}") == false)
    let stacked =
      [0x80, 4] + text(module) + text(name) + [0x93] + tuple(text("x")) + Array("R.".utf8)
    #expect(throws: FileError.self) { try read(stacked) }
    #expect(!FileManager.default.fileExists(atPath: "attune-was-here"))
  }

  @Test func otherWaysOfCallingAreRefused() {
    let argument = text("true")
    let ways: [(String, [UInt8])] = [
      ("INST", Array("(".utf8) + argument + Array("iposix\nsystem\n.".utf8)),
      ("OBJ", Array("(".utf8) + global("collections", "OrderedDict") + argument + Array("o.".utf8)),
      ("NEWOBJ", global("numpy", "ndarray") + tuple(argument) + [0x81] + Array(".".utf8)),
      ("NEWOBJ_EX", global("numpy", "ndarray") + tuple() + Array("}".utf8) + [0x92, 0x2E]),
      ("EXT1", [0x82, 1, 0x2E]), ("NEXT_BUFFER", [0x97, 0x2E]),
      (
        "a storage called",
        global("torch", "FloatStorage") + tuple(integer(1 << 40)) + Array("R.".utf8)
      ),
      ("a text called", text("x") + tuple() + Array("R.".utf8)),
      ("BUILD of a list", Array("]".utf8) + Array("}".utf8) + Array("b.".utf8)),
      ("a set alone", [0x8F, 0x2E]),
      ("elements of a list as of a set", Array("](N".utf8) + [0x90, 0x2E]),
    ]
    for (what, pickle) in ways {
      #expect(throws: FileError.self, "\(what)") { try read(pickle) }
    }
  }

  @Test func tensorsThatLieAreRefused() {
    let lies: [(String, [UInt8])] = [
      ("more elements than the storage", tensor(shape: [5])),
      ("an offset past the end", tensor(offset: 1)),
      ("a negative offset", tensor(offset: -1)),
      ("a negative size", tensor(shape: [-4])),
      ("a negative stride", tensor(shape: [2], strides: [-1])),
      ("a stride past the end", tensor(shape: [2], strides: [4])),
      ("a stride that overflows", tensor(shape: [3], strides: [.max])),
      ("a size that overflows", tensor(shape: [.max, .max], strides: [0, 0])),
      ("a huge expanded tensor", tensor(shape: [1 << 40], strides: [0])),
      ("more sizes than strides", tensor(shape: [2, 2], strides: [1])),
      ("a storage longer than its member", tensor(count: 5)),
      ("a storage of impossible length", tensor(count: .max)),
      ("a storage of negative length", tensor(count: -1)),
      ("a storage that is not there", tensor(key: "7")),
      ("a storage elsewhere", tensor(key: "../data.pkl")),
      (
        "too many dimensions",
        tensor(
          shape: [Int64](repeating: 1, count: 65), strides: [Int64](repeating: 1, count: 65))
      ),
    ]
    for (what, operations) in lies {
      #expect(throws: FileError.self, "\(what)") { try read(dictionary(operations)) }
    }
  }

  @Test func stacksThatRunOutAreRefused() {
    let pickles: [(String, [UInt8])] = [
      ("nothing", []), ("only the end", Array(".".utf8)), ("POP", Array("0.".utf8)),
      ("no mark", Array("t.".utf8)), ("a tuple of too few", Array("N".utf8) + [0x87, 0x2E]),
      ("elements below a mark", Array("]N(a.".utf8)), ("a missing value", Array("}(Nu.".utf8)),
      ("an unknown memory", Array("h".utf8) + [9, 0x2E]), ("DUP of nothing", Array("2.".utf8)),
      ("an append to a number", Array("K\u{1}Na.".utf8)), ("an unknown operation", [0xFF]),
      ("protocol 1", [0x80, 1, 0x2E]), ("protocol 6", [0x80, 6, 0x2E]),
      ("a text past the end", [0x58, 0xFF, 0xFF, 0xFF, 0xFF, 0x2E]),
      ("bytes past the end", [0x8E] + little(UInt64.max) + [0x2E]),
      ("a long of negative length", [0x8B] + little(Int32(-1)) + [0x2E]),
      ("a line that does not end", Array("cposix".utf8)),
      ("no end", Array("]".utf8)),
    ]
    for (what, pickle) in pickles {
      let error = #expect(throws: FileError.self, "\(what)") { try read(pickle) }
      #expect(error?.kind != .system, "\(what)")
    }
  }

  /// A million lists in one another would overflow the stack of whoever walks them.
  @Test func deepNestingIsRefused() {
    let count = 1_000_000
    let deep = [UInt8](repeating: 0x5D, count: count) + [UInt8](repeating: 0x61, count: count - 1)
    let error = #expect(throws: FileError.self) { try read(deep + [0x2E]) }
    #expect(error?.problem.contains("deep") == true)
  }

  @Test func circlesAreRefused() {
    // A list that is appended to itself.
    let circle: [UInt8] = Array("]q".utf8) + [0] + Array("h".utf8) + [0] + Array("a.".utf8)
    let error = #expect(throws: FileError.self) { try read(circle) }
    #expect(error?.problem.contains("itself") == true)
  }

  /// Each list holds the one before twice: forty of them are a million million values.
  @Test func listsThatDoubleAreRefused() {
    var pickle: [UInt8] = Array("]N".utf8) + Array("a".utf8)
    for _ in 0..<40 {
      pickle += Array("q".utf8) + [0] + Array("0](h".utf8) + [0] + Array("h".utf8) + [0, 0x65]
    }
    let error = #expect(throws: FileError.self) { try read(pickle + [0x2E]) }
    #expect(error?.kind == .tooLarge)
  }

  /// A long key around many values would make names that fill the memory.
  @Test func longNamesAreRefused() {
    let key = String(repeating: "k", count: 1_000_000)
    let pickle =
      Array("}".utf8) + text(key) + Array("](".utf8) + [UInt8](repeating: 0x4E, count: 100_000)
      + Array("es.".utf8)
    let error = #expect(throws: FileError.self) { try read(pickle) }
    #expect(error?.kind == .tooLarge)
  }

  /// One list of pairs, copied into dictionaries that are thrown away again.
  @Test func copiedListsAreRefused() {
    let count = 100_000
    var pickle: [UInt8] = Array("](NN".utf8) + [0x86] + Array("q".utf8) + [0]
    for _ in 1..<count { pickle += Array("h".utf8) + [0] }
    pickle += Array("eq".utf8) + [1] + Array("0".utf8)
    let copy =
      global("collections", "OrderedDict") + Array("h".utf8) + [1, 0x85] + Array("R0".utf8)
    for _ in 0..<100 { pickle += copy }
    let error = #expect(throws: FileError.self) { try read(pickle + Array("N.".utf8)) }
    #expect(error?.kind == .tooLarge)
  }

  /// One long text, turned into bytes that are thrown away again.
  @Test func textsEncodedAgainAndAgainAreRefused() throws {
    let long = text(String(repeating: "k", count: 1_000_000)) + Array("q".utf8) + [0, 0x30]
    let encode =
      global("_codecs", "encode") + Array("h".utf8) + [0] + text("latin1") + [0x86]
      + Array("R0".utf8)
    _ = try read(long + encode + Array("N.".utf8))
    let again = [[UInt8]](repeating: encode, count: 100).flatMap { $0 }
    let error = #expect(throws: FileError.self) { try read(long + again + Array("N.".utf8)) }
    #expect(error?.kind == .tooLarge)
  }

  @Test func endlessPicklesAreRefused() {
    let error = #expect(throws: FileError.self) {
      try read([UInt8](repeating: 0x4E, count: 5_000_000))
    }
    #expect(error?.kind == .tooLarge)
  }

  @Test func archivesWithoutAPickleAreRefused() throws {
    let folder = try TemporaryFolder()
    let cases: [[String: [UInt8]]] = [
      [:], ["data.pkl": [0x80, 2, 0x4E, 0x2E]],
      ["a/data.pkl": [0x80, 2, 0x4E, 0x2E], "b/data.pkl": [0x80, 2, 0x4E, 0x2E]],
      ["a/data.pkl": [0x80, 2, 0x4E, 0x2E], "a/byteorder": Array("big".utf8)],
    ]
    for members in cases {
      let path = try folder.write(ZipBuilder(members).bytes, to: "x.pt")
      #expect(throws: FileError.self) { try PyTorchFile(path: path) }
    }
  }
}
