import Files
import Runs

/// A page about one run or several that needs nothing but itself: no network, no other file.
public struct RunReport: Sendable {
  /// The page.
  public let html: String
  /// What of the runs could not be shown, a line each; the page says it too.
  public let notes: [String]

  /// Reads run folders, which may be in use or damaged.
  ///
  /// - Parameters:
  ///   - paths: the run folders, at least one, in the order of the page.
  ///   - limits: how much of each run the page may hold.
  /// - Throws: `RunFolderError.notARun` if one is none.
  public init(runs paths: [String], limits: ReportLimits = ReportLimits()) throws {
    precondition(!paths.isEmpty, "a page about no runs")
    let runs = try paths.map { try RunContents(run: $0, limits: limits) }
    html = try ReportPage(runs).html.markup
    notes = runs.flatMap { run in
      runs.count == 1 ? run.notes : run.notes.map { "\(run.path.name): \($0)" }
    }
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
