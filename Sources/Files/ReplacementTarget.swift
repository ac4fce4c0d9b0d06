import Glibc

/// The file that writing to a path replaces or makes: what a link points to, else the path itself.
struct ReplacementTarget {
  /// A path that does not end in a link; there may be no such file yet.
  let path: String

  /// - Throws: `FileError` if a folder, a device or a pipe is in the way.
  init(of path: String) throws(FileError) {
    try ReplacementTarget.checkKind(of: path)
    self.path = try ReplacementTarget.end(ofLinksFrom: path)
  }

  private static func checkKind(of path: String) throws(FileError) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      // Nothing is there, or a link to nothing: a file can be made, or making it says why not.
      if errno == ENOENT { return }
      throw .system(path: path, action: "written")
    }
    let kind = status.st_mode & S_IFMT
    guard kind != S_IFREG else { return }
    // Renaming onto a device would put a file in its place; whoever else uses it would miss it.
    let problem = kind == S_IFDIR ? "is a folder" : "is a device, a pipe or a socket"
    throw FileError(.system, path: path, problem: problem, advice: "name a file")
  }

  /// Goes link by link, because the system finds the end only of links to something.
  private static func end(ofLinksFrom path: String) throws(FileError) -> String {
    var end = path
    // The system itself follows at most 40, so that more are links that somebody changes.
    for _ in 0...40 {
      guard let next = try destination(ofLink: end, path: path) else { return end }
      end = next.hasPrefix("/") ? next : "\(end.folder)/\(next)"
    }
    errno = ELOOP
    throw .system(path: path, action: "written")
  }

  /// What a link says; nil where there is no link.
  private static func destination(
    ofLink link: String, path: String
  ) throws(FileError) -> String? {
    var buffer = [CChar](repeating: 0, count: 4_096)  // no path is longer
    let count = readlink(link, &buffer, buffer.count)
    guard count >= 0 else { return nil }
    guard !isOpenFile(link) else {
      throw FileError(
        .system, path: path, problem: "stands for an open file of a process",
        advice: "name the file itself")
    }
    let bytes = buffer[..<count].map(UInt8.init(bitPattern:))
    guard let destination = String(validating: bytes, as: UTF8.self) else {
      throw FileError(
        .system, path: path, problem: "is a link to a name that is not UTF-8",
        advice: "choose another path")
    }
    return destination
  }

  /// Whether a link is one of `/proc`, to which `/dev/stdout` leads.
  ///
  /// What such a link says need not be a path; and where it is, the process that has the file open
  /// would go on writing to the old one.
  private static func isOpenFile(_ link: String) -> Bool {
    guard let folder = realpath(link.folder, nil) else { return false }
    defer { free(folder) }
    return String(cString: folder).hasPrefix("/proc/")
  }
}
