import Foundation

/// A folder that goes away with its last user.
public final class TemporaryFolder {
  /// Where it is.
  public let path: String
  /// The same as a URL.
  public var url: URL { URL(filePath: path) }

  /// Makes an empty folder.
  public init() throws {
    path =
      FileManager.default.temporaryDirectory
      .appending(path: "attune-tests-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  /// Starts as a copy of another folder.
  public convenience init(copying folder: String) throws {
    try self.init()
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
      try FileManager.default.copyItem(atPath: "\(folder)/\(name)", toPath: file(name))
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The path of a file in it, whether or not there is one.
  public func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a file and gives its path.
  @discardableResult
  public func write(_ bytes: [UInt8], to name: String) throws -> String {
    // File systems wait for the disk when a file is overwritten, not when it is new.
    unlink(file(name))
    try Data(bytes).write(to: URL(filePath: file(name)))
    return file(name)
  }

  /// Writes a text file and gives its path.
  @discardableResult
  public func write(_ text: String, to name: String) throws -> String {
    try write(Array(text.utf8), to: name)
  }

  /// The contents of a text file.
  public func text(_ name: String) throws -> String {
    try String(contentsOfFile: file(name), encoding: .utf8)
  }

  /// The contents of any file.
  public func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: file(name))))
  }

  /// Whether there is such a file or folder.
  public func holds(_ name: String) -> Bool {
    FileManager.default.fileExists(atPath: file(name))
  }

  /// The names in it, in order.
  public var contents: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
  }
}
