import Foundation
import Glibc
import TestSupport
import Testing

@testable import Files

/// What stands at a path before it is written: links are followed, devices and folders left alone.
struct ReplacementTargetTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func link(_ name: String, to destination: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: folder.file(name), withDestinationPath: destination)
  }

  /// What a path itself is, not what it leads to.
  private func kind(_ path: String) -> mode_t {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : 0
  }

  /// The second link is relative to its own folder; the file need not be there.
  @Test(arguments: [true, false]) func linksAreFollowed(isThere: Bool) throws {
    try FileManager.default.createDirectory(
      atPath: folder.file("inner"), withIntermediateDirectories: true)
    if isThere { try folder.write("old", to: "inner/x.txt") }
    try link("inner/second", to: "x.txt")
    try link("first", to: folder.file("inner/second"))
    try AtomicFile.write("new", to: folder.file("first"))
    #expect(kind(folder.file("first")) == S_IFLNK)
    #expect(kind(folder.file("inner/second")) == S_IFLNK)
    #expect(kind(folder.file("inner/x.txt")) == S_IFREG)
    #expect(try folder.text("inner/x.txt") == "new")
    #expect(try folder.contents == ["first", "inner"])
    let inner = try FileManager.default.contentsOfDirectory(atPath: folder.file("inner"))
    #expect(inner.sorted() == ["second", "x.txt"])
  }

  @Test func failureLeavesLinksAndTheirFiles() throws {
    try folder.write("old", to: "x.txt")
    try link("link", to: "x.txt")
    #expect(throws: FileError.self) {
      try AtomicFile.write(to: folder.file("link")) { file throws(FileError) in
        throw FileError(.system, path: "link", problem: "fails")
      }
    }
    #expect(kind(folder.file("link")) == S_IFLNK)
    #expect(try folder.text("x.txt") == "old")
    #expect(try folder.contents == ["link", "x.txt"])
  }

  /// A rename would put a file in the place of a pipe and, as root, of a device.
  @Test func foldersPipesAndDevicesStay() throws {
    try FileManager.default.createDirectory(
      atPath: folder.file("folder"), withIntermediateDirectories: true)
    #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
    try link("link-to-folder", to: "folder")
    try link("link-to-pipe", to: "pipe")
    // The same as /dev/null, which should not be at risk. Not everyone may make one.
    if mknod(folder.file("device"), S_IFCHR | 0o600, 0x103) != 0 {
      print("skipped: writing to a device: it cannot be made here")
    }
    let names = try folder.contents
    for name in names {
      let path = folder.file(name)
      let before = kind(path)
      let error = #expect(throws: FileError.self) { try AtomicFile.write("text", to: path) }
      #expect(error?.kind == .system && error?.path == path)
      let what = name.hasSuffix("folder") ? "is a folder" : "is a device, a pipe or a socket"
      #expect(error?.problem == what && error?.advice == "name a file", "\(name)")
      #expect(kind(path) == before, "\(name)")
    }
    #expect(try folder.contents == names)
  }

  /// `/dev/stdout` leads to such a link, whatever the shell has made of standard output.
  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/proc/self/fd"), "needs /proc"))
  func openFilesStay() throws {
    let path = try folder.write("old", to: "x.txt")
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    try link("output", to: "/proc/self/fd/\(descriptor)")
    for path in ["/proc/self/fd/\(descriptor)", folder.file("output")] {
      let error = #expect(throws: FileError.self) { try AtomicFile.write("new", to: path) }
      #expect(error?.path == path && error?.advice == "name the file itself")
    }
    #expect(try folder.text("x.txt") == "old")
    #expect(try folder.contents == ["output", "x.txt"])
  }

  @Test func linksInACircleAreAnError() throws {
    try link("a", to: "b")
    try link("b", to: "a")
    let error = #expect(throws: FileError.self) {
      try AtomicFile.write("text", to: folder.file("a"))
    }
    #expect(error?.path == folder.file("a"))
    #expect(error?.description.contains("Too many levels of symbolic links") == true)
    #expect(try folder.contents == ["a", "b"])
  }
}
