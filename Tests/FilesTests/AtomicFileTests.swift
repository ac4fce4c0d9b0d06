import Foundation
import TestSupport
import Testing

@testable import Files

struct AtomicFileTests {
  @Test func filesAreReplacedWhole() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.txt")
    try AtomicFile.write("old", to: path)
    try AtomicFile.write("new text", to: path)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "new text")
    #expect(try folder.contents == ["x.txt"])
  }

  @Test func failureLeavesTheOldFileAndNothingElse() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.txt")
    try AtomicFile.write("old", to: path)
    let error = #expect(throws: FileError.self) {
      try AtomicFile.write(to: path) { file throws(FileError) in
        try file.append(Array("half".utf8))
        throw FileError(.system, path: path, problem: "fails half-way")
      }
    }
    #expect(error?.problem == "fails half-way")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
    #expect(try folder.contents == ["x.txt"])
  }

  /// The old file stands until the new one is complete.
  @Test func theNameChangesLast() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.txt")
    try AtomicFile.write(to: path) { file throws(FileError) in
      try file.append(Array("text".utf8))
      #expect(!FileManager.default.fileExists(atPath: path))
    }
    #expect(FileManager.default.fileExists(atPath: path))
  }

  @Test func aFolderInTheWayIsAnError() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("taken")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let error = #expect(throws: FileError.self) { try AtomicFile.write("text", to: path) }
    #expect(error?.kind == .system)
    #expect(try folder.contents == ["taken"])
  }

  @Test func aMissingFolderIsAnError() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("nowhere/x.txt")
    let error = #expect(throws: FileError.self) { try AtomicFile.write("text", to: path) }
    #expect(error?.description.contains(path) == true)
    #expect(error?.description.contains("No such file") == true)
  }

  /// In a container every process may have the number of the one that was killed.
  @Test func leftoversDoNotBlock() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.txt")
    var names: [String] = []
    try AtomicFile.write(to: path) { file throws(FileError) in
      try file.append(Array("old".utf8))
      names = (try? folder.contents) ?? []
    }
    let parts = try #require(names.first).split(separator: "-")
    try #require(parts.count == 3 && parts[0] == ".attune" && parts[1] == "\(getpid())")
    let number = try #require(Int(parts[2].prefix(while: \.isNumber)))
    // Other tests take numbers meanwhile.
    let leftovers = (1...200).map { ".attune-\(getpid())-\(number + $0).partial" }
    for leftover in leftovers { try folder.write("half", to: leftover) }
    try AtomicFile.write("new", to: path)
    #expect(try folder.text("x.txt") == "new")
    #expect(try Set(folder.contents) == Set(leftovers + ["x.txt"]))
  }

  @Test func writersOfOneFileDoNotMeet() async throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.txt")
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<20 {
        group.addTask {
          let text = String(repeating: "\(number % 10)", count: 10_000)
          #expect(throws: Never.self) { try AtomicFile.write(text, to: path) }
        }
      }
    }
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(text.count == 10_000 && Set(text).count == 1)
    #expect(try folder.contents == ["x.txt"])
  }
}
