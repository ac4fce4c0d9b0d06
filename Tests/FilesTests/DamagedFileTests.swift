import Foundation
import TestSupport
import Testing

@testable import Files

/// What happens to every kind of file: cut, emptied, replaced by something else.
struct DamagedFileTests {
  static let names = [
    "types.safetensors", "c_float32.npy", "stored.npz", "deflated.npz", "earliest.h5",
    "newest.h5", "checkpoint2.pt", "checkpoint4.pt",
  ]

  /// Everything there is to read.
  private func readAll(_ path: String) throws {
    _ = try FileSummary(path: path)
    let file: any TensorFile
    switch try FileKind(path: path) {
    case .safetensors: file = try SafetensorsFile(path: path)
    case .npz: file = try NPZFile(path: path)
    case .hdf5: file = try HDF5File(path: path)
    case .pytorch: file = try PyTorchFile(path: path)
    case .zarr: file = try ZarrFile(path: path)
    case .npy:
      _ = try NPYFile.read(path: path)
      return
    case .parquet:
      let table = try ParquetFile(path: path)
      for column in table.columns { _ = try table.values(of: column.name) }
      return
    }
    for name in file.names { _ = try file.storedTensor(named: name) }
  }

  @Test(arguments: names) func filesCutAtEverySixteenth(name: String) throws {
    let folder = try TemporaryFolder()
    let bytes = try Goldens.bytes(name)
    for part in 0..<16 {
      let path = try folder.write(Array(bytes[..<(bytes.count * part / 16)]), to: name)
      #expect(throws: FileError.self, "\(part) sixteenths") { try readAll(path) }
    }
    let path = try folder.write(Array(bytes.dropLast()), to: name)
    #expect(throws: FileError.self, "all but one byte") { try readAll(path) }
    #expect(throws: Never.self) { try readAll(try folder.write(bytes, to: name)) }
  }

  @Test func whatIsNotAFileIsAnError() throws {
    let folder = try TemporaryFolder()
    let pipe = folder.file("pipe")
    #expect(mkfifo(pipe, 0o600) == 0)
    let random = try folder.write((0..<100).map { UInt8($0) }, to: "x.bin")
    let empty = try folder.write([], to: "empty.npz")
    for path in [folder.path, pipe, folder.file("nowhere"), random, empty, "", "a\0b"] {
      let error = #expect(throws: FileError.self) { try FileSummary(path: path) }
      #expect(error?.path == path)
    }
    let error = #expect(throws: FileError.self) { try FileSummary(path: folder.file("nowhere")) }
    #expect(error?.kind == .system)
    #expect(error?.description.contains("No such file") == true)
  }

  @Test func kindsAreFoundByContents() throws {
    let folder = try TemporaryFolder()
    let kinds: [(String, FileKind)] = [
      ("types.safetensors", .safetensors), ("int32.npy", .npy), ("deflated.npz", .npz),
      ("newest.h5", .hdf5), ("user_block.h5", .hdf5), ("optimizer.pth", .pytorch),
    ]
    for (name, kind) in kinds {
      let path = try folder.write(try Goldens.bytes(name), to: "anything")
      #expect(try FileKind(path: path) == kind)
    }
  }

  @Test func textIsMadeFitForTerminals() {
    #expect("a\u{1B}[1m\u{7F}\n".printable == "a\\u{1b}[1m\\u{7f}\\u{a}")
    #expect("täxt 漢字 \u{1F600}".printable == "täxt 漢字 \u{1F600}")
    #expect("\u{202E}\u{200B}\u{2028}".printable == "\\u{202e}\\u{200b}\\u{2028}")
    #expect(String(repeating: "x", count: 2_000).printable.count == 1_003)
    let error = FileError(
      .malformed, path: "p\n", item: "i", problem: "is\u{7}bad", advice: "do that")
    #expect(error.description == "p\\u{a}: 'i': is\\u{7}bad; do that")
  }
}
