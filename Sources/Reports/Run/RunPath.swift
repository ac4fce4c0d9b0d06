import Files
import Glibc
import Runs

/// The path of a run folder and of what is in it.
struct RunPath: Sendable {
  /// Without a slash at its end.
  let path: String

  init(_ path: String) {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    self.path = path
  }

  /// The folder's name, also where the path does not say it, as `.` does not.
  var name: String {
    guard let last = path.split(separator: "/").last, last != ".", last != ".." else {
      guard let real = realpath(path, nil) else { return path }
      defer { free(real) }
      return String(cString: real).split(separator: "/").last.map(String.init) ?? path
    }
    return String(last)
  }

  func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

  /// Whether it looks like a run: with settings, or with metrics where those were lost.
  ///
  /// - Throws: `RunFolderError.notARun`.
  func check() throws(RunFolderError) {
    let names = FolderListing.names(in: path)
    guard names.contains("config.yaml") || names.contains("metrics.jsonl") else {
      throw .notARun(path: path)
    }
  }
}
