import Foundation
import Tensors
import TestSupport
import Testing

@testable import Files

struct WrittenFileTests {
  private let tensor = Tensor(shape: [2, 3], elements: [1.5, -2, 3, 4, 5, 6])

  private var tensors: [String: StoredTensor] {
    [
      "float": StoredTensor(tensor), "half": StoredTensor(tensor, as: .float16),
      "brain": StoredTensor(tensor, as: .bfloat16),
      "double": StoredTensor(shape: [1], doubles: [0.1]),
      "long": StoredTensor(shape: [2], integers: [-(1 << 40), 3]),
      "byte": StoredTensor(shape: [3], uint8s: [1, 2, 255]),
      "flag": StoredTensor(shape: [1], booleans: [true]), "scalar": StoredTensor(Tensor(2.5)),
      "empty": StoredTensor(Tensor.zeros([0, 3])), "ünï \n": StoredTensor(tensor),
    ]
  }

  private var arrays: [String: StoredTensor] {
    [
      "states": StoredTensor(tensor), "lengths": StoredTensor(shape: [2], integers: [4, 5]),
      "scalar": StoredTensor(Tensor(2.5)),
      "flags": StoredTensor(shape: [2], booleans: [true, false]),
      "zeros": StoredTensor(Tensor.zeros([300, 100])),
    ]
  }

  private func expectEqual(_ file: some TensorFile, _ tensors: [String: StoredTensor]) throws {
    #expect(file.names == tensors.keys.sorted())
    for (name, tensor) in tensors {
      let read = try file.storedTensor(named: name)
      #expect(read.elementType == tensor.elementType, "\(name)")
      #expect(read.shape == tensor.shape, "\(name)")
      #expect(read.doubles == tensor.doubles, "\(name)")
    }
  }

  @Test func safetensorsComeBack() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.safetensors")
    let metadata = ["key": "va\"l\\ue\n", "ünï": "cödé"]
    try SafetensorsFile.write(tensors, metadata: metadata, to: path)
    let file = try SafetensorsFile(path: path)
    try expectEqual(file, tensors)
    #expect(file.metadata == metadata)
    // The header's length and the data's start are multiples of eight, and so is every wide tensor.
    let bytes = try MappedFile.bytes(path: path)
    #expect(bytes.number(at: 0, as: UInt64.self) % 8 == 0)
    for name in file.names {
      let stored = try file.storedTensor(named: name)
      let address = stored.withUnsafeBytes { Int(bitPattern: $0.baseAddress) }
      #expect(address % stored.elementType.byteCount == 0, "\(name)")
    }
    #expect(try folder.contents == ["x.safetensors"])
  }

  @Test func equalTensorsGiveEqualFiles() throws {
    let folder = try TemporaryFolder()
    for name in ["a", "b"] { try SafetensorsFile.write(tensors, to: folder.file(name)) }
    for name in ["c", "d"] { try NPZFile.write(arrays, to: folder.file(name), isCompressed: true) }
    let files = try ["a", "b", "c", "d"].map {
      try Data(contentsOf: URL(filePath: folder.file($0)))
    }
    #expect(files[0] == files[1])
    #expect(files[2] == files[3])
  }

  @Test func noTensorsAreAFileToo() throws {
    let folder = try TemporaryFolder()
    try SafetensorsFile.write([:], to: folder.file("x.safetensors"))
    #expect(try SafetensorsFile(path: folder.file("x.safetensors")).names.isEmpty)
    try NPZFile.write([:], to: folder.file("x.npz"))
    #expect(try NPZFile(path: folder.file("x.npz")).names.isEmpty)
  }

  @Test(arguments: [false, true]) func npzComesBack(isCompressed: Bool) throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.npz")
    try NPZFile.write(arrays, to: path, isCompressed: isCompressed)
    try expectEqual(try NPZFile(path: path), arrays)
    let byteCount = try MappedFile.bytes(path: path).count
    #expect(isCompressed ? byteCount < 5_000 : byteCount > 120_000)
  }

  @Test func wideArchivesComeBack() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("wide.npz")
    try writeWide(to: path)
    try expectEqual(try NPZFile(path: path), arrays)
  }

  /// With the 64-bit fields that archives of more than 4 GB have.
  private func writeWide(to path: String) throws {
    try AtomicFile.write(to: path) { file throws(FileError) in
      var writer = ZipWriter(path: path, usesZip64Always: true)
      for (name, tensor) in arrays.sorted(by: { $0.key < $1.key }) {
        let header = try NPYFile.header(for: tensor, path: path, part: name)
        try writer.append(
          [Bytes(copying: header), tensor.bytes], named: name + ".npy", isCompressed: false,
          to: file)
      }
      try writer.finish(to: file)
    }
  }

  /// The same bytes as NumPy's own.
  @Test func npyIsWrittenAsNumPyWritesIt() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.npy")
    let original = try NPYFile.read(path: Goldens.path("c_float32.npy"))
    try NPYFile.write(original, to: path)
    #expect(try Data(contentsOf: URL(filePath: path)) == Data(try Goldens.bytes("c_float32.npy")))
    let error = #expect(throws: FileError.self) {
      try NPYFile.write(StoredTensor(tensor, as: .bfloat16), to: path)
    }
    #expect(error?.kind == .unsupported)
    // The file from before is still there.
    #expect(try NPYFile.read(path: path).doubles == original.doubles)
  }

  @Test func pythonReadsWhatIsWritten() throws {
    let folder = try TemporaryFolder()
    try SafetensorsFile.write(
      tensors, metadata: ["key": "va\"l\\ue\n", "ünï": "cödé"],
      to: folder.file("written.safetensors"))
    try NPZFile.write(arrays, to: folder.file("stored.npz"))
    try NPZFile.write(arrays, to: folder.file("deflated.npz"), isCompressed: true)
    try writeWide(to: folder.file("wide.npz"))
    try NPYFile.write(StoredTensor(tensor), to: folder.file("written.npy"))

    let python = ProcessInfo.processInfo.environment["ATTUNE_PYTHON"] ?? "python3"
    let outcome = try RunningProgram(
      "/usr/bin/env", [python, Goldens.path("check_written.py"), folder.path]
    ).finish()
    let skipped: Int32 = 77, notFound: Int32 = 127
    if outcome.status == skipped || outcome.status == notFound {
      print("pythonReadsWhatIsWritten: \(python) lacks numpy, torch or safetensors: not checked")
    } else {
      #expect(outcome.status == 0, "\(outcome.output)")
    }
  }
}
