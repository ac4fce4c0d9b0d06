import CHDF5Bridge
import Foundation
import Glibc
import Tensors
import TestSupport
import Testing

@testable import Files

struct HDF5FileTests {
  @Test func whatIsWrittenComesBack() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.hdf5")
    var tensors: [String: StoredTensor] = [
      "scalar": StoredTensor(shape: [], doubles: [0.1]),
      "empty": StoredTensor(shape: [0, 3], doubles: []),
      "float": StoredTensor(
        Tensor(shape: [2, 2], elements: [1, -0.5, .infinity, .leastNonzeroMagnitude])),
      "flags": StoredTensor(shape: [3], booleans: [true, false, true]),
      "long": StoredTensor(shape: [300, 1_000], integers: Array(0..<300_000)),
    ]
    let integers: [ElementType] = [
      .int64, .int32, .int16, .int8, .uint64, .uint32, .uint16, .uint8,
    ]
    for type in integers {
      tensors[type.rawValue] = StoredTensor(shape: [2], integers: [0, 127], as: type)
    }
    // Over a file that is there.
    for _ in 0..<2 { try HDF5File.write(tensors, to: path) }
    let file = try HDF5File(path: path)
    #expect(file.names == tensors.keys.sorted())
    for (name, tensor) in tensors {
      let read = try file.storedTensor(named: name)
      #expect(read.elementType == tensor.elementType && read.shape == tensor.shape, "\(name)")
      #expect(read.bytes.elementsEqual(tensor.bytes), "\(name)")
    }
    let error = #expect(throws: FileError.self) {
      try HDF5File.write(["half": StoredTensor(Tensor([1]), as: .float16)], to: path)
    }
    #expect(error?.item == "half" && error?.kind == .unsupported)
    #expect(throws: FileError.self) { try HDF5File.write(tensors, to: folder.file("no/x.hdf5")) }
  }

  /// JPEG files of any length, as Minari writes them.
  @Test func bytesOfAnyLengthAreRead() throws {
    let file = try HDF5File(path: Repository.golden("Minari/jpeg/data/main_data.hdf5"))
    let name = "episode_0/observations/top"
    let arrays = try file.byteArrays(of: name)
    #expect(arrays.count == 4 && Set(arrays.map(\.count)).count > 1)
    #expect(
      arrays.allSatisfy { $0.starts(with: [0xFF, 0xD8, 0xFF]) && $0.suffix(2) == [0xFF, 0xD9] })
    #expect(file.dataset(named: name)?.hasByteArrays == true && !file.names.contains(name))
    let numbers = #expect(throws: FileError.self) { try file.storedTensor(named: name) }
    #expect(numbers?.description.contains("variable-length uint8, where numbers") == true)
    let texts = #expect(throws: FileError.self) { try file.texts(of: name) }
    #expect(texts?.description.contains("where texts are expected") == true)
    #expect(throws: FileError.self) { try file.byteArrays(of: "episode_0/actions") }
  }

  @Test func groupsAndAttributesComeBack() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.hdf5")
    let images = StoredTensor(
      shape: [4, 30, 20], uint8s: (0..<2_400).map { UInt8(truncatingIfNeeded: $0 / 7) })
    let tensors: [String: StoredTensor] = [
      "data/demo_0/obs/top": images, "data/demo_0/actions": StoredTensor(Tensor([1, 2])),
      "data/demo_10/actions": StoredTensor(Tensor([3])), "root": StoredTensor(Tensor([4])),
    ]
    try HDF5File.write(
      tensors,
      attributes: [
        "data": ["env_args": .text("{\"name\": \"ä\"}"), "total": .integer(-3)],
        "data/demo_0/obs/top": ["kind": .text("")],
      ], compressed: ["data/demo_0/obs/top"], to: path)
    let file = try HDF5File(path: path)
    #expect(file.names == tensors.keys.sorted())
    #expect(file.groups == ["", "data", "data/demo_0", "data/demo_0/obs", "data/demo_10"])
    for (name, tensor) in tensors {
      #expect(try file.storedTensor(named: name).bytes.elementsEqual(tensor.bytes), "\(name)")
    }
    let stored = try #require(file.dataset(named: "data/demo_0/obs/top")).storedByteCount
    #expect(stored > 0 && stored < 1_000)
    #expect(file.attributes(of: "data")["env_args"]?.text == "{\"name\": \"ä\"}")
    #expect(file.attributes(of: "data")["total"]?.integer == -3)
    #expect(file.attributes(of: "data/demo_0/obs/top")["kind"]?.text == "")
  }

  @Test(arguments: ["earliest.h5", "newest.h5"])
  func attributesAreRead(name: String) throws {
    let file = try HDF5File(path: Goldens.path(name))
    let root = file.attributes(of: "/")
    #expect(root["title"]?.text == "demonstrations")
    #expect(root["fixed"]?.text == "fixed text")
    #expect(root["texts"]?.description == "[a, bc]")
    #expect(root["count"]?.integer == -3)
    #expect(root["rates"]?.description == "[0.5, 0.25]")
    #expect(root["flag"]?.integer == 1)
    #expect(root["nothing"]?.description == "float32")
    #expect(root["long"]?.description == "int64 [100]")
    #expect(root.count == 8)
    #expect(file.attributes(of: "data/demo_0")["num_samples"]?.integer == 30)
    #expect(file.attributes(of: "/data/demo_0/obs/chunked")["unit"]?.text == "m")
  }

  @Test(arguments: ["earliest.h5", "newest.h5"])
  func linksAreNamedButNotFollowedInCircles(name: String) throws {
    let file = try HDF5File(path: Goldens.path(name))
    #expect(file.groups == ["", "data", "data/demo_0", "data/demo_0/obs", "many"])
    #expect(
      file.links == [
        "loop": "another name of a group", "data/loop": "another name of a group",
        "soft_loop": "soft link to /soft_loop", "dangling": "soft link to /nowhere",
        "outside": "link to another file, not followed",
      ])
  }

  @Test(arguments: ["earliest.h5", "newest.h5"])
  func rowsAreRead(name: String) throws {
    let file = try HDF5File(path: Goldens.path(name))
    let expected = try #require(try Goldens.expected(name)["data/demo_0/obs/chunked"])
    for rows in [0..<30, 0..<1, 5..<16, 29..<30, 10..<10] {
      let stored = try file.storedTensor(named: "/data/demo_0/obs/chunked", rows: rows)
      #expect(stored.shape == [rows.count, 4])
      #expect(
        stored.doubles == Array(expected.values[(rows.lowerBound * 4)..<(rows.upperBound * 4)]))
    }
    #expect(throws: FileError.self) { try file.storedTensor(named: "plain", rows: 5..<7) }
    #expect(throws: FileError.self) { try file.storedTensor(named: "scalar", rows: 0..<1) }
  }

  @Test(arguments: ["earliest.h5", "newest.h5"])
  func manyDatasetsAreReadAtOnce(name: String) throws {
    let file = try HDF5File(path: Goldens.path(name))
    let expected = try Goldens.expected(name)
    let names = Array(file.names.reversed())
    let tensors = try file.storedTensors(named: names)
    #expect(tensors.count == names.count)
    for (name, stored) in zip(names, tensors) {
      Goldens.expect(stored, try #require(expected[name]), name)
    }
    #expect(try file.storedTensors(named: []).isEmpty)
    let error = #expect(throws: FileError.self) {
      try file.storedTensors(named: ["plain", "lzf", "long"])
    }
    #expect(error?.item == "lzf")
  }

  @Test(arguments: ["earliest.h5", "newest.h5"])
  func textsAreRead(name: String) throws {
    let file = try HDF5File(path: Goldens.path(name))
    #expect(try file.texts(of: "texts") == ["abc", "de"])
    #expect(try file.texts(of: "/variable_texts") == ["abc", "de"])
    #expect(file.dataset(named: "texts")?.problem == nil)
    #expect(!file.names.contains("texts"))
    let numbers = #expect(throws: FileError.self) { try file.texts(of: "plain") }
    #expect(numbers?.problem == "is float32, where texts are expected")
    let missing = #expect(throws: FileError.self) { try file.texts(of: "text") }
    #expect(missing?.kind == .missing)
  }

  @Test(arguments: ["earliest.h5", "newest.h5"])
  func whatCannotBeReadSaysWhy(name: String) throws {
    let file = try HDF5File(path: Goldens.path(name))
    let reasons = [
      "texts": "string", "variable_texts": "string", "compound": "compound",
      "nothing": "no elements", "lzf": "filter 32000",
      "scaled": "filter 6", "external": "another file", "virtual": "other files",
    ]
    for (dataset, reason) in reasons {
      let error = #expect(throws: FileError.self) { try file.storedTensor(named: dataset) }
      #expect(error?.kind == .unsupported, "\(dataset)")
      #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }
    let missing = #expect(throws: FileError.self) { try file.storedTensor(named: "plane") }
    #expect(missing?.kind == .missing)
  }

  /// More workers than processors, from several threads at once.
  @Test func filesAreReadSideBySide() async throws {
    let path = Goldens.path("earliest.h5")
    let expected = try #require(try Goldens.expected("earliest.h5")["plain"])
    try await withThrowingTaskGroup(of: [Double].self) { group in
      for _ in 0..<8 {
        group.addTask { try HDF5File(path: path).storedTensor(named: "plain").doubles }
      }
      for try await values in group { #expect(values == expected.values) }
    }
  }

  @Test func aFileThatChangesIsAnError() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(try Goldens.bytes("earliest.h5"), to: "x.h5")
    let file = try HDF5File(path: path)
    _ = try folder.write(try Goldens.bytes("user_block.h5"), to: "x.h5")
    let error = #expect(throws: FileError.self) {
      try file.storedTensors(named: ["empty", "plain", "long"])
    }
    // The first one takes no bytes, so it is not even looked for.
    #expect(error?.item == "plain")
  }

  /// Whether libhdf5 crashes or loops depends on its version and on chance; this process goes on.
  @Test(arguments: ["crashes.h5", "loops.h5"])
  func filesThatTheLibraryFailsOnAreSurvived(name: String) {
    let limits = HDF5Limits(processorSeconds: 0.2, memoryByteCount: 1 << 30)
    let start = ContinuousClock.now
    do {
      let file = try HDF5File(path: Goldens.path(name), limits: limits)
      #expect(file.names == ["x"])
    } catch {
      #expect(error.path == Goldens.path(name))
    }
    #expect(start.duration(to: .now) < .seconds(20))
  }

  @Test func workersThatFailAreNoticed() throws {
    let limits = AttuneHDF5Limits(processor_seconds: 0.2, memory_byte_count: 64 << 20)
    let succeeds = attune_hdf5_probe(attune_hdf5_probe_success, limits)
    #expect(succeeds.outcome == attune_hdf5_done && succeeds.byte_count == 42)
    let aborts = attune_hdf5_probe(attune_hdf5_probe_abort, limits)
    #expect(aborts.outcome == attune_hdf5_crashed)
    let leaves = attune_hdf5_probe(attune_hdf5_probe_exit, limits)
    #expect(leaves.outcome == attune_hdf5_crashed)
    let loops = attune_hdf5_probe(attune_hdf5_probe_loop, limits)
    #expect(loops.outcome == attune_hdf5_out_of_time)
    let grows = attune_hdf5_probe(attune_hdf5_probe_memory, limits)
    #expect(grows.outcome == attune_hdf5_done && grows.byte_count == 1)
    // The pipe by whose end its own is noticed; nothing that this program has open.
    let open = try FileHandle(forReadingFrom: URL(filePath: Goldens.path("earliest.h5")))
    let descriptors = attune_hdf5_probe(attune_hdf5_probe_descriptors, limits)
    #expect(descriptors.outcome == attune_hdf5_done && descriptors.byte_count == 1)
    try open.close()
    for result in [aborts, leaves, loops] {
      #expect(throws: FileError.self) { try HDF5File.check(result, path: "x.h5", item: nil) }
    }
  }

  /// The workers are no forks of this process, which has threads: none runs its code or has its
  /// memory. A server that is gone is started again.
  @Test func workersAreForksOfAServer() throws {
    let limits = AttuneHDF5Limits(processor_seconds: 10, memory_byte_count: 64 << 20)
    let first = attune_hdf5_probe(attune_hdf5_probe_parent, limits)
    #expect(first.outcome == attune_hdf5_done && first.byte_count != UInt64(getpid()))
    kill(pid_t(first.byte_count), SIGKILL)
    let path = Goldens.path("earliest.h5")
    #expect(try HDF5File(path: path).names.contains("plain"))
    let second = attune_hdf5_probe(attune_hdf5_probe_parent, limits)
    #expect(second.outcome == attune_hdf5_done && second.byte_count != first.byte_count)
  }
}
