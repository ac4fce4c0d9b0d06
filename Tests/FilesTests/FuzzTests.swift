import Foundation
import Tensors
import TestSupport
import Testing

@testable import Files

/// Thousands of damaged files: each is read or refused with a `FileError`, soon, and without asking
/// for memory that the file could not fill. A trap or a crash ends the whole test run.
@Suite(.serialized)
struct FuzzTests {
  /// For one file, on a busy machine under an address sanitizer.
  private static let maxSeconds = 20.0
  /// Address space, written to or not, beyond what the process had; the goldens are tiny.
  private static let maxByteCount = 1 << 30

  /// More rounds of other mutations, for a long run by hand.
  private static let roundCount =
    ProcessInfo.processInfo.environment["ATTUNE_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 1

  /// Runs `read` on mutations; gives how many were read and the errors of the others.
  ///
  /// - Parameters:
  ///   - originals: files by name; mutations take their names from them.
  ///   - change: what is done to the damaged bytes, such as putting them into an archive.
  private func fuzz(
    _ originals: [(name: String, bytes: [UInt8])], count: Int, seed: UInt64,
    in folder: TemporaryFolder? = nil, change: ([UInt8]) throws -> [UInt8] = { $0 },
    read: (String) throws(FileError) -> Void
  ) throws -> (readCount: Int, errors: [FileError]) {
    let folder = try folder ?? TemporaryFolder()
    var mutator = Mutator(seed: seed)
    var readCount = 0
    var errors: [FileError] = []
    let start = peakByteCount()
    for index in 0..<(count * FuzzTests.roundCount) {
      let original = originals[index % originals.count]
      let damaged = mutator.mutated(original.bytes, others: originals.map(\.bytes))
      let path = try folder.write(try change(damaged), to: original.name)
      let clock = ContinuousClock.now
      do {
        try read(path)
        readCount += 1
      } catch {
        errors.append(error)
        let lines = error.description.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count <= 2, "mutation \(index): \(error)")
      }
      let seconds = clock.duration(to: .now) / .seconds(1)
      #expect(seconds < FuzzTests.maxSeconds, "mutation \(index) of seed \(seed)")
    }
    let growth = peakByteCount() - start
    #expect(growth < FuzzTests.maxByteCount, "seed \(seed): \(growth) bytes")
    // Mutations that all fail, or all pass, test little.
    #expect(readCount > 0 && !errors.isEmpty)
    return (readCount, errors)
  }

  private func goldens(_ names: String...) throws -> [(name: String, bytes: [UInt8])] {
    try names.map { ($0, try Goldens.bytes($0)) }
  }

  /// The most address space that this process has ever had.
  private func peakByteCount() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmPeak:") }
    return (line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
  }

  private func readAll(_ file: some TensorFile) throws(FileError) {
    for name in file.names { _ = Tensor(try file.storedTensor(named: name)) }
  }

  @Test func safetensors() throws {
    let originals = try goldens("types.safetensors", "model-00001-of-00002.safetensors")
    _ = try fuzz(originals, count: 3_000, seed: 1) { path throws(FileError) in
      _ = try FileSummary(path: path)
      try readAll(try SafetensorsFile(path: path))
    }
  }

  @Test func shardIndexes() throws {
    let folder = try TemporaryFolder()
    for shard in try goldens("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    {
      _ = try folder.write(shard.bytes, to: shard.name)
    }
    let originals = try goldens("model.safetensors.index.json")
    _ = try fuzz(originals, count: 2_000, seed: 2, in: folder) { path throws(FileError) in
      _ = try FileSummary(path: path)
    }
  }

  @Test func npy() throws {
    let originals = try goldens(
      "c_float32.npy", "fortran_float64.npy", "int32.npy", "structured.npy")
    _ = try fuzz(originals, count: 4_000, seed: 3) { path throws(FileError) in
      _ = Tensor(try NPYFile.read(path: path))
    }
  }

  @Test func npz() throws {
    let originals = try goldens("stored.npz", "deflated.npz", "demonstrations.npz", "wild.npz")
    _ = try fuzz(originals, count: 3_000, seed: 4) { path throws(FileError) in
      _ = try FileSummary(path: path)
      try readAll(try NPZFile(path: path))
    }
  }

  /// Checksums protect the contents from mutations; here they are right, whatever the contents.
  @Test func npyInsideValidArchives() throws {
    let originals = try goldens("fortran_float64.npy", "c_float32.npy")
    _ = try fuzz(
      originals, count: 2_000, seed: 5,
      change: { contents in
        let isDeflated = contents.count.isMultiple(of: 2)
        let member =
          try isDeflated
          ? ZipBuilder.Member(deflating: "x.npy", contents) : ZipBuilder.Member("x.npy", contents)
        return ZipBuilder([member]).bytes
      }
    ) { path throws(FileError) in
      try readAll(try NPZFile(path: path))
    }
  }

  @Test func pyTorch() throws {
    let originals = try goldens("checkpoint2.pt", "checkpoint4.pt", "optimizer.pth", "command.pt")
    _ = try fuzz(originals, count: 2_000, seed: 6) { path throws(FileError) in
      _ = try FileSummary(path: path)
      try readAll(try PyTorchFile(path: path))
    }
    #expect(!FileManager.default.fileExists(atPath: "attune-was-here"))
  }

  /// Damaged pickles in archives with right checksums.
  @Test(arguments: [
    (7, "checkpoint2.pt"), (8, "checkpoint5.pt"), (9, "optimizer.pth"), (11, "wild2.pt"),
    (12, "wild4.pt"),
  ])
  func picklesInsideValidArchives(seed: UInt64, name: String) throws {
    let archive = try ZipArchive(path: Goldens.path(name))
    var members: [String: [UInt8]] = [:]
    for member in archive.members {
      members[member.name] = try archive.contents(of: member).withUnsafeBytes { Array($0) }
    }
    let pickle = try #require(members.first { $0.key.hasSuffix("/data.pkl") })
    _ = try fuzz(
      [(name, pickle.value)], count: 1_500, seed: seed,
      change: { damaged in
        var members = members
        members[pickle.key] = damaged
        return ZipBuilder(members).bytes
      }
    ) { path throws(FileError) in
      try readAll(try PyTorchFile(path: path))
    }
  }

  @Test func parquet() throws {
    let names = ["snappy", "gzip", "zstd", "plain", "version1", "version2", "fallback"]
    let originals = try names.map {
      ("\($0).parquet", try ParquetGoldens.bytes("\($0).parquet"))
    }
    _ = try fuzz(originals, count: 2_000, seed: 13) { path throws(FileError) in
      let file = try ParquetFile(path: path)
      var errors: [FileError] = []
      for column in file.columns {
        do throws(FileError) {
          let values = try file.values(of: column.name)
          for row in 0..<min(values.rowCount, 2_000) { _ = values.byteArrays(row: row) }
        } catch {
          // Damage to one column must not hide the others.
          errors.append(error)
        }
      }
      if let error = errors.first { throw error }
    }
  }

  /// Chunks and what describes arrays, damaged in archives with right checksums.
  @Test(arguments: [(14, "arrays2"), (15, "arrays3")])
  func zarrInsideValidArchives(seed: UInt64, name: String) throws {
    let archive = try ZipArchive(path: ZarrGoldens.path("\(name).zarr.zip"))
    var members: [String: [UInt8]] = [:]
    for member in archive.members {
      members[member.name] = try archive.contents(of: member).withUnsafeBytes { Array($0) }
    }
    let names = members.keys.sorted().filter { !$0.hasSuffix(".zgroup") }
    var index = 0
    _ = try fuzz(
      [(name, Array("x".utf8))], count: 1_000, seed: seed,
      change: { _ in
        var mutator = Mutator(seed: seed &* 1_000 &+ UInt64(index))
        let name = names[index * 31 % names.count]
        index += 1
        let array = name.split(separator: "/").dropLast().joined(separator: "/")
        // The array alone, as the others would hide it.
        var own = members.filter { $0.key.hasPrefix("\(array)/") || $0.key == "zarr.json" }
        own[".zgroup"] = Array("{}".utf8)
        own[name] = mutator.mutated(members[name] ?? [], others: Array(members.values))
        return ZipBuilder(own).bytes
      }
    ) { path throws(FileError) in
      _ = try FileSummary(path: path)
      try readAll(try ZarrFile(path: path))
    }
  }

  @Test func hdf5() throws {
    let limits = HDF5Limits(processorSeconds: 0.5, memoryByteCount: 256 << 20)
    let originals = try goldens("earliest.h5", "newest.h5", "user_block.h5", "wild.h5")
    let (readCount, errors) = try fuzz(originals, count: 1_500, seed: 10) {
      path throws(FileError) in
      let file = try HDF5File(path: path, limits: limits)
      for stored in try file.storedTensors(named: file.names) { _ = Tensor(stored) }
      for dataset in file.datasets where dataset.isText && dataset.problem == nil {
        _ = try file.texts(of: dataset.name)
      }
    }
    let crashCount = errors.filter { $0.problem.contains("crash") }.count
    let slowCount = errors.filter { $0.problem.contains("too long") }.count
    print(
      "HDF5: \(readCount) read, \(errors.count) refused, of these \(crashCount) crashed libhdf5 "
        + "and \(slowCount) took it too long")
  }
}
