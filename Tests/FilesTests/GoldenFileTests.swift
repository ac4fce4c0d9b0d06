import Tensors
import Testing

@testable import Files

/// Files written by the Python libraries read as they were meant.
struct GoldenFileTests {
  @Test func safetensorsOfEveryType() throws {
    let file = try SafetensorsFile(path: Goldens.path("types.safetensors"))
    try Goldens.compare(file, with: "types.safetensors")
    #expect(file.metadata == ["format": "pt", "quote": "\"\\\n"])
  }

  @Test func safetensorsInShards() throws {
    let name = "model.safetensors.index.json"
    try Goldens.compare(try ShardedTensorFile(indexPath: Goldens.path(name)), with: name)
  }

  @Test(arguments: ["c_float32.npy", "fortran_float64.npy", "int32.npy"])
  func npyOfEveryVersion(name: String) throws {
    let stored = try NPYFile.read(path: Goldens.path(name))
    Goldens.expect(stored, try #require(try Goldens.expected(name)[""]), name)
  }

  @Test(arguments: ["stored.npz", "deflated.npz", "demonstrations.npz"])
  func npz(name: String) throws {
    try Goldens.compare(try NPZFile(path: Goldens.path(name)), with: name)
  }

  @Test func demonstrationsOfDPPO() throws {
    let file = try NPZFile(path: Goldens.path("demonstrations.npz"))
    #expect(try file.integers(named: "traj_lengths") == [4, 5])
    #expect(try file.tensor(named: "states").shape == [9, 5])
    #expect(try file.tensor(named: "actions").shape == [9, 2])
    let error = #expect(throws: FileError.self) { try file.integers(named: "actions") }
    #expect(error?.kind == .unsupported)
    let missing = #expect(throws: FileError.self) { try file.tensor(named: "action") }
    #expect(missing?.kind == .missing)
    #expect(missing?.advice?.contains("'actions'") == true)
  }

  @Test(arguments: ["earliest.h5", "newest.h5", "user_block.h5"])
  func hdf5(name: String) throws {
    try Goldens.compare(try HDF5File(path: Goldens.path(name)), with: name)
  }

  @Test(arguments: [
    "checkpoint2.pt", "checkpoint3.pt", "checkpoint4.pt", "checkpoint5.pt", "optimizer.pth",
    "old_numpy.pt",
  ])
  func pyTorch(name: String) throws {
    try Goldens.compare(try PyTorchFile(path: Goldens.path(name)), with: name)
  }

  @Test(arguments: [
    "types.safetensors", "model.safetensors.index.json", "int32.npy", "deflated.npz",
    "earliest.h5", "newest.h5", "checkpoint2.pt", "optimizer.pth",
  ])
  func summariesAgree(name: String) throws {
    let summary = try FileSummary(path: Goldens.path(name))
    let expected = try Goldens.expected(name)
    // HDF5 summaries also list what cannot be read.
    for (name, tensor) in expected {
      let entry = try #require(summary.tensors.first { $0.name == name }, "\(name)")
      #expect(entry.type == tensor.type)
      #expect(entry.shape == tensor.shape)
    }
    #expect(summary.tensors.count >= expected.count)
  }
}
