import Files
import Runs

/// A summary as text for people.
struct SummaryTable {
  let text: String

  private static let maxItemCount = 100
  private static let maxValueLength = 200

  init(_ summary: FileSummary) {
    let shown = summary.items.prefix(SummaryTable.maxItemCount)
    let cut = summary.items.count - shown.count
    let lines =
      ["\(summary.path.printable): \(summary.kind.rawValue)"]
      + shown.map { "  \($0.name.printable): \(SummaryTable.cut($0.value).printable)" }
      + (cut > 0 ? ["  ... and \(cut) more values"] : [])
      + SummaryTable.rows(summary.tensors)
      + ["  \(SummaryTable.total(summary.tensors))"]
    text = lines.joined(separator: "\n")
  }

  private static func cut(_ value: String) -> String {
    value.count > maxValueLength ? "\(value.prefix(maxValueLength))..." : value
  }

  /// Columns as wide as their widest cell.
  private static func rows(_ tensors: [FileSummary.Entry]) -> [String] {
    guard !tensors.isEmpty else { return [] }
    let cells =
      [["name", "type", "shape", "bytes"]]
      + tensors.map { tensor in
        [
          tensor.name.isEmpty ? "(array)" : tensor.name.printable, tensor.type.printable,
          "\(tensor.shape)", tensor.byteCount.map(\.grouped) ?? "-",
        ]
      }
    let widths = (0..<4).map { column in cells.map { $0[column].count }.max() ?? 0 }
    return cells.map { row in
      let left = (0..<3).map { row[$0] + spaces(widths[$0] - row[$0].count) }
      return "  " + left.joined(separator: "  ") + "  " + spaces(widths[3] - row[3].count) + row[3]
    }
  }

  private static func total(_ tensors: [FileSummary.Entry]) -> String {
    let byteCount = tensors.reduce(0) { total, tensor in
      total.addingReportingOverflow(tensor.byteCount ?? 0).partialValue
    }
    return "\(tensors.count.counting("tensor")), \(byteCount.counting("byte"))"
  }

  private static func spaces(_ count: Int) -> String { String(repeating: " ", count: count) }
}
