import Foundation
import Tensors
import TestSupport
import Testing

@testable import Files

/// Files as they are met in the wild, which `generate_wild.py` wrote.
struct WildFileTests {
  // MARK: Element types

  @Test func unsignedAndBigEndianArraysAreRead() throws {
    let file = try NPZFile(path: Goldens.path("wild.npz"))
    try Goldens.compare(file, with: "wild.npz", in: "expected_wild.json")
    #expect(try file.integers(named: "uint16") == [0, 40_000, 65_535])
    #expect(try file.integers(named: "big_uint32") == [1, 1 << 31 + 7])
    #expect(try file.tensor(named: "big_fortran").elements == [0, 1, 2, 3, 4, 5])
    let stored = try NPYFile.read(path: Goldens.path("big_endian.npy"))
    #expect(stored.elementType == .float32 && stored.doubles == [0, 1, 2])
  }

  @Test func integersBeyondSignedOnesAreNotWrapped() throws {
    let folder = try TemporaryFolder()
    let header = "{\"a\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[0,8]}}"
    let bytes = little(UInt64(header.utf8.count)) + Array(header.utf8) + little(UInt64.max)
    let file = try SafetensorsFile(path: try folder.write(bytes, to: "x.safetensors"))
    #expect(try file.storedTensor(named: "a").integers == nil)
    #expect(try file.tensor(named: "a").elements == [0x1p64])
    let error = #expect(throws: FileError.self) { try file.integers(named: "a") }
    #expect(error?.problem.contains("beyond") == true)
  }

  @Test func unsignedTensorsAreWrittenAndRead() throws {
    let folder = try TemporaryFolder()
    let values = [0, 200, 255]
    for type in [ElementType.uint8, .uint16, .uint32, .uint64] {
      let tensor = StoredTensor(shape: [3], integers: values, as: type)
      let path = folder.file("x.safetensors")
      try SafetensorsFile.write(["a": tensor], to: path)
      let read = try SafetensorsFile(path: path).storedTensor(named: "a")
      #expect(read.elementType == type && read.integers == values)
      try NPYFile.write(tensor, to: folder.file("x.npy"))
      let array = try NPYFile.read(path: folder.file("x.npy"))
      #expect(array.elementType == type && array.integers == values)
    }
  }

  // MARK: NumPy

  @Test func arraysOfOtherTypesLeaveTheRestReadable() throws {
    let file = try NPZFile(path: Goldens.path("wild.npz"))
    #expect(Set(file.unreadable.keys) == ["names", "things", "records", "bytes"])
    #expect(file.unreadable["things"]?.contains("|O") == true)
    #expect(!file.names.contains("names"))
    let error = #expect(throws: FileError.self) { try file.storedTensor(named: "names") }
    #expect(error?.kind == .unsupported && error?.problem.contains("<U2") == true)
    let summary = try FileSummary(path: Goldens.path("wild.npz"))
    #expect(summary.items.map(\.name) == ["bytes", "names", "records", "things"])
    #expect(summary.items.allSatisfy { $0.value.hasPrefix("not read: ") })
  }

  // MARK: HDF5

  @Test func hdf5NumbersOfAllTypesAreRead() throws {
    let file = try HDF5File(path: Goldens.path("wild.h5"))
    try Goldens.compare(file, with: "wild.h5", in: "expected_wild.json")
  }

  @Test func masksAndArgumentsOfRobomimicAreRead() throws {
    let file = try HDF5File(path: Goldens.path("wild.h5"))
    #expect(try file.texts(of: "mask/train") == ["demo_0", "demo_10"])
    #expect(try file.texts(of: "mask/padded") == ["demo_0", "x"])
    #expect(try file.texts(of: "mask/variable") == ["demo_0", "dömo", ""])
    #expect(try file.texts(of: "mask/utf8") == ["dömo"])
    #expect(try file.texts(of: "mask/spaces") == ["demo_3", "demo_44"])
    #expect(try file.texts(of: "mask/empty") == [])
    let arguments = file.attributes(of: "data")
    #expect(arguments["env_args"]?.text?.hasPrefix("{\"env_name\": \"Lift\"") == true)
    #expect(arguments["env_args"]?.text?.utf8.count ?? 0 > 70_000)
    #expect(arguments["fixed_args"]?.text == "{\"env_name\": \"Can\"}")
  }

  @Test(arguments: [("lzf", "lzf (filter 32000)"), ("scaled", "scaleoffset (filter 6)")])
  func filtersAreNamed(dataset: String, name: String) throws {
    let path = Goldens.path("earliest.h5")
    let error = #expect(throws: FileError.self) {
      try HDF5File(path: path).storedTensor(named: dataset)
    }
    #expect(error?.problem == "is compressed with \(name), not gzip")
    #expect(error?.advice?.contains("h5repack") == true)
    let item = try FileSummary(path: path).items.first { $0.name == dataset }
    #expect(item?.value == "not read: is compressed with \(name), not gzip")
  }

  @Test(arguments: [("version2.h5", "chunked"), ("complex.h5", "complex")])
  func whatANewerLibraryWroteIsNamed(name: String, dataset: String) throws {
    let path = Goldens.path(name)
    let file = try HDF5File(path: path)
    #expect(file.names == ["x"])
    #expect(try file.storedTensor(named: "x").doubles == [0, 1, 2])
    let error = #expect(throws: FileError.self) { try file.storedTensor(named: dataset) }
    #expect(error?.kind == .unsupported)
    #expect(error?.problem == "is of a newer version of the HDF5 format, not read")
    #expect(error?.advice?.contains("h5repack --high=v110") == true)
    let summary = try FileSummary(path: path)
    #expect(summary.items.contains { $0.name == dataset && $0.value.contains("newer version") })
  }

  @Test func aSuperblockOfALaterVersionIsNamed() throws {
    var bytes = try Goldens.bytes("version2.h5")
    bytes[8] = 9
    let folder = try TemporaryFolder()
    let path = try folder.write(bytes, to: "x.h5")
    let error = #expect(throws: FileError.self) { try HDF5File(path: path) }
    #expect(error?.kind == .unsupported)
    #expect(error?.problem.contains("version of the HDF5 format") == true)
    #expect(error?.advice?.contains("h5repack") == true)
  }

  // MARK: PyTorch

  @Test(arguments: 2...5)
  func weightsBesideForeignObjectsAreRead(version: Int) throws {
    let name = "wild\(version).pt"
    let file = try PyTorchFile(path: Goldens.path(name))
    try Goldens.compare(file, with: name, in: "expected_wild.json")
    let root = file.root
    let classes = [
      "args": "argparse.Namespace", "cfg": "omegaconf.dictconfig.DictConfig",
      "holder": "diffusion_policy.config.Config", "kind": "diffusion_policy.config.Kind",
      "class": "torch.nn.modules.activation.Mish",
      "scheduler": "torch.optim.lr_scheduler.LambdaLR", "set": "builtins.set",
      "frozen": "builtins.frozenset", "complex": "builtins.complex",
      "big": "an integer of more than 64 bits",
      "generator": "numpy.random._pickle.__randomstate_ctor",
    ]
    for (key, expected) in classes {
      guard case .object(let className, let count)? = root[key] else {
        Issue.record("\(key) is \(root[key]?.summary ?? "missing")")
        continue
      }
      #expect(className == expected)
      #expect(count == ["holder": 1, "generator": 2][key, default: 0], "\(key)")
    }
    #expect(root["names"]?.summary == "numpy.ndarray of numpy.dtype 'U2', not read")
    #expect(root["counts"]?["steps"]?.summary == "3")
    #expect(root["epoch"]?.summary == "7")
    #expect(root["big_number"]?.summary == "0.25")
    #expect(root["holder"]?.summary == "diffusion_policy.config.Config, not read (with 1 tensors)")
  }

  @Test func tensorsInsideForeignObjectsAloneAreRefused() throws {
    let error = #expect(throws: FileError.self) { try PyTorchFile(path: Goldens.path("held.pt")) }
    #expect(error?.item == "diffusion_policy.config.Config")
    #expect(error?.advice?.contains("state_dict") == true)
  }

  @Test func tensorTypesThatAreNotReadAreNamed() throws {
    let error = #expect(throws: FileError.self) { try PyTorchFile(path: Goldens.path("float8.pt")) }
    #expect(error?.kind == .unsupported && error?.item == "torch.float8_e4m3fn")
  }

  // MARK: Git LFS

  static let pointer = """
    version https://git-lfs.github.com/spec/v1
    oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
    size 12345

    """

  @Test(arguments: ["\n", "\r\n"])
  func pointersOfGitLFSAreNamedByEveryReader(lineEnd: String) throws {
    let folder = try TemporaryFolder()
    let text = Self.pointer.replacingOccurrences(of: "\n", with: lineEnd)
    let path = try folder.write(Array(text.utf8), to: "x")
    let readers: [(String, () throws -> Void)] = [
      ("safetensors", { _ = try SafetensorsFile(path: path) }),
      ("shards", { _ = try ShardedTensorFile(indexPath: path) }),
      ("npy", { _ = try NPYFile.read(path: path) }),
      ("npz", { _ = try NPZFile(path: path) }),
      ("HDF5", { _ = try HDF5File(path: path) }),
      ("PyTorch", { _ = try PyTorchFile(path: path) }),
      ("JSON", { _ = try JSONValue(path: path) }),
      ("text", { _ = try TextFile.read(path: path) }),
      ("lines", { _ = try TextFile.lines(path: path) }),
      ("bytes", { _ = try BinaryFile.read(path: path) }),
      ("any kind", { _ = try FileSummary(path: path) }),
    ]
    for (name, read) in readers {
      let error = #expect(throws: FileError.self, "\(name)") { try read() }
      #expect(error?.problem.contains("Git LFS pointer") == true, "\(name)")
      #expect(error?.problem.contains("12345 bytes") == true, "\(name)")
      #expect(error?.advice?.contains("git lfs pull") == true, "\(name)")
    }
  }

  // MARK: Shards

  @Test func shardsOfPyTorchFilesAreRead() throws {
    let folder = try TemporaryFolder()
    for number in 1...2 {
      _ = try folder.write(
        try Goldens.bytes("wild2.pt"), to: "pytorch_model-0000\(number)-of-00002.bin")
    }
    let index = """
      {"weight_map": {"model/weight": "pytorch_model-00001-of-00002.bin",
       "model/bias": "pytorch_model-00002-of-00002.bin"}}
      """
    for name in ["pytorch_model.bin.index.json", "pytorch_model.bin.index.fp16.json"] {
      let path = try folder.write(Array(index.utf8), to: name)
      let file = try ShardedTensorFile(indexPath: path)
      #expect(file.names == ["model/bias", "model/weight"])
      #expect(try file.tensor(named: "model/bias").elements == [0.5, -0.5])
      #expect(try FileSummary(path: path).kind == "pytorch")
    }
  }

  // MARK: Lines

  @Test(arguments: [
    ("a\nb\n", ["a", "b"]), ("a\nb", ["a", "b"]), ("a\r\nb\r\n", ["a", "b"]),
    ("a\r\nb", ["a", "b"]), ("a\n\nb\n\n", ["a", "", "b", ""]), ("\r\n\r\n", ["", ""]),
    ("", []), ("\n", [""]), ("\u{FEFF}a\nb", ["a", "b"]), ("a\rb", ["a", "b"]),
    ("a\u{2028}b\u{85}c", ["a\u{2028}b\u{85}c"]),
  ])
  func linesEndInAnyOfTheUsualWays(text: String, expected: [String]) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(Array(text.utf8), to: "x.txt")
    #expect(try TextFile.lines(path: path).map(String.init) == expected)
  }

  @Test func marksAtTheStartAreLeftOut() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write([0xEF, 0xBB, 0xBF] + Array("{\"a\": 1}\r\n".utf8), to: "x.json")
    #expect(try JSONValue(path: path) == ["a": 1])
    #expect(try TextFile.read(path: path).hasPrefix("{"))
    let wide = try folder.write([0xFF, 0xFE, 0x61, 0], to: "x.txt")
    let error = #expect(throws: FileError.self) { try TextFile.lines(path: wide) }
    #expect(error?.advice == "it is in UTF-16: save it in UTF-8")
  }
}
