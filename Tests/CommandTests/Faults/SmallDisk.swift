import Foundation
import TestSupport

/// A file system of a few kilobytes in memory, where the tests may mount one.
final class SmallDisk {
  private let folder: TemporaryFolder
  /// Where it is mounted.
  let path: String

  /// Nil, with a printed reason, where nothing may be mounted.
  init?(kilobytes: Int, for test: String) throws {
    folder = try TemporaryFolder()
    path = folder.file("disk")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let outcome = try RunningProgram(
      "/usr/bin/env", ["mount", "-t", "tmpfs", "-o", "size=\(kilobytes)k", "attune-tests", path]
    ).finish()
    guard outcome.status == 0 else {
      print("skipped: \(test): no tmpfs: \(outcome.standardError)", terminator: "")
      return nil
    }
  }

  deinit {
    _ = try? RunningProgram("/usr/bin/env", ["umount", "-l", path]).finish()
  }

  /// Changes its options, as in "size=4m" or "ro".
  func remount(_ options: String) throws {
    let outcome = try RunningProgram(
      "/usr/bin/env", ["mount", "-o", "remount,\(options)", path]
    ).finish()
    guard outcome.status == 0 else { throw Failure(description: outcome.output) }
  }

  /// The file system did not do what it was told.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// The path of a file on it.
  func file(_ name: String) -> String { "\(path)/\(name)" }

  /// All names on it.
  var contents: [String] {
    get throws { try FileManager.default.subpathsOfDirectory(atPath: path).sorted() }
  }
}
