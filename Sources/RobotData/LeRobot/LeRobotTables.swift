import Files
import Synchronization

/// The tables of a data set: opened once, and what was read of them kept for the next episode.
final class LeRobotTables: Sendable {
  private struct Table {
    let file: ParquetFile
    /// Where each episode is.
    let rows: [Int: Range<Int>]
  }

  private struct ColumnPart: Hashable {
    let path: String
    let column: String
    let rowGroups: Range<Int>
  }

  private struct State {
    var tables: [(path: String, table: Table)] = []
    var columns: [(part: ColumnPart, values: ParquetValues)] = []
  }

  private let folder: String
  private let state = Mutex(State())

  private static let maxTableCount = 16
  /// Of values that are kept.
  private static let maxByteCount = 256 << 20

  init(folder: String) { self.folder = folder }

  /// The values of a column, and the rows among them that are an episode's.
  func values(
    of column: String, in episode: LeRobotEpisode
  ) throws(FileError) -> (values: ParquetValues, rows: Range<Int>) {
    try state.withLock { state throws(FileError) in
      let path = "\(folder)/\(episode.dataPath)"
      let table = try LeRobotTables.table(path, in: &state)
      let rows = try LeRobotTables.rows(of: episode, in: table, path: path)
      let groups = table.file.rowGroups.indices.filter { table.file.rowGroups[$0].overlaps(rows) }
      guard let first = groups.first, let last = groups.last else {
        return (try table.file.values(of: column, rowGroups: 0..<0), 0..<0)
      }
      let part = ColumnPart(path: path, column: column, rowGroups: first..<(last + 1))
      let start = table.file.rowGroups[first].lowerBound
      let own = (rows.lowerBound - start)..<(rows.upperBound - start)
      return (try LeRobotTables.values(part, of: table, in: &state), own)
    }
  }

  /// Compares an episode's length with its table.
  func check(_ episode: LeRobotEpisode) throws(FileError) {
    try state.withLock { state throws(FileError) in
      let path = "\(folder)/\(episode.dataPath)"
      let table = try LeRobotTables.table(path, in: &state)
      _ = try LeRobotTables.rows(of: episode, in: table, path: path)
    }
  }

  /// Whether the table of an episode has a column.
  func hasColumn(_ column: String, in episode: LeRobotEpisode) throws(FileError) -> Bool {
    try state.withLock { state throws(FileError) in
      let table = try LeRobotTables.table("\(folder)/\(episode.dataPath)", in: &state)
      return table.file.column(named: column) != nil
    }
  }

  private static func table(_ path: String, in state: inout State) throws(FileError) -> Table {
    if let kept = state.tables.first(where: { $0.path == path }) { return kept.table }
    let file = try ParquetFile(path: path)
    let table = Table(file: file, rows: try rows(of: file))
    if state.tables.count >= maxTableCount { state.tables.removeFirst() }
    state.tables.append((path, table))
    return table
  }

  /// Finds the rows of each episode, which must be together.
  private static func rows(of file: ParquetFile) throws(FileError) -> [Int: Range<Int>] {
    var rows: [Int: Range<Int>] = [:]
    for (row, episode) in try file.integers("episode_index").enumerated() {
      if let before = rows[episode] {
        guard before.upperBound == row else {
          throw FileError(
            .malformed, path: file.path, item: "episode_index",
            problem: "has episode \(episode) in several places (row \(row))",
            advice: "sort the table by episode and frame")
        }
        rows[episode] = before.lowerBound..<(row + 1)
      } else {
        rows[episode] = row..<(row + 1)
      }
    }
    return rows
  }

  private static func rows(
    of episode: LeRobotEpisode, in table: Table, path: String
  ) throws(FileError) -> Range<Int> {
    let rows = table.rows[episode.index] ?? 0..<0
    guard rows.count == episode.length else {
      throw FileError(
        .malformed, path: path, item: "episode \(episode.index)",
        problem: "has \(rows.count) rows, and meta states \(episode.length)",
        advice: "fetch data and meta of the same revision")
    }
    return rows
  }

  private static func values(
    _ part: ColumnPart, of table: Table, in state: inout State
  ) throws(FileError) -> ParquetValues {
    if let kept = state.columns.first(where: { $0.part == part }) { return kept.values }
    let values = try table.file.values(of: part.column, rowGroups: part.rowGroups)
    state.columns.append((part, values))
    while state.columns.count > 1,
      state.columns.reduce(0, { $0 + $1.values.byteCount }) > maxByteCount
    {
      state.columns.removeFirst()
    }
    return values
  }
}
