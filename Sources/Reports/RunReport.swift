import Files
import Runs

/// A page about a run that needs nothing but itself: no network, no other file.
public struct RunReport: Sendable {
  /// The page.
  public let html: String
  /// What of the run could not be shown, a line each; the page says it too.
  public let notes: [String]

  /// Reads a run folder, which may be in use or damaged.
  ///
  /// - Parameters:
  ///   - path: the run folder.
  ///   - limits: how much the page may hold.
  /// - Throws: `RunFolderError.notARun` if it is none.
  public init(run path: String, limits: ReportLimits = ReportLimits()) throws {
    let run = try RunContents(run: path, limits: limits)
    html = try ReportPage(run).html.markup
    notes = run.notes
  }

  /// The page in its run folder.
  public static func usualPath(run path: String) -> String { RunPath(path)("report.html") }

  /// Writes the page; a file that was there before is replaced only by a whole one.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(to path: String) throws(FileError) {
    try AtomicFile.write(html, to: path)
  }
}
