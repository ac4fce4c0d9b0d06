import Files
import Foundation

/// A folder that appears under its name only when it is complete. A process that is killed may
/// leave `.attune-NAME-PID.partial` or `.attune-NAME-PID.old`, the folder that was to be replaced,
/// beside it.
package enum AtomicFolder {
  /// Fills a folder through `body`, which gets a temporary path beside the final one.
  package static func write(to path: String, _ body: (String) throws -> Void) throws {
    let manager = FileManager.default
    let url = URL(filePath: path)
    let beside = url.deletingLastPathComponent().path(percentEncoded: false)
    let name = "\(url.lastPathComponent)-\(ProcessInfo.processInfo.processIdentifier)"
    let temporary = "\(beside)/.attune-\(name).partial"
    try? manager.removeItem(atPath: temporary)
    do {
      try create(temporary)
      try body(temporary)
      guard manager.fileExists(atPath: path) else {
        return try manager.moveItem(atPath: temporary, toPath: path)
      }
      // The old one steps aside for a moment, and comes back if the new one cannot take its place.
      let old = "\(beside)/.attune-\(name).old"
      try manager.moveItem(atPath: path, toPath: old)
      do {
        try manager.moveItem(atPath: temporary, toPath: path)
      } catch {
        try manager.moveItem(atPath: old, toPath: path)
        throw error
      }
      try manager.removeItem(atPath: old)
    } catch let error as FileError {
      try? manager.removeItem(atPath: temporary)
      throw error
    } catch {
      try? manager.removeItem(atPath: temporary)
      throw FileError(
        .system, path: path, problem: "cannot be written: \(error.localizedDescription)")
    }
  }

  /// Makes one folder.
  package static func create(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: false)
    } catch {
      throw FileError(
        .system, path: path, problem: "cannot be made: \(error.localizedDescription)",
        advice: "does the folder above it exist?")
    }
  }
}
