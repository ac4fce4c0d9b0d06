import ArgumentParser
import Files
import Foundation
import RobotData
import Runs

/// `attune inspect FILE...`
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what is in files with tensors and in data sets.",
    discussion: """
      Reads safetensors files and their indexes, npy, npz, HDF5, PyTorch (.pt, .pth), parquet \
      and zarr files, folders of them, such as a run, and LeRobot data sets: their features, \
      episodes, tasks, cameras and statistics. Nothing in a file is executed.

      Example:
        attune inspect policy.safetensors demos.npz runs/hopper
        attune inspect --json policy.safetensors
        attune inspect pusht
      """)

  @Flag(help: "Print one JSON object: files [{path, kind, tensors [{name, type, shape}]}].")
  var json = false

  @Argument(
    help: ArgumentHelp("Files or folders to read.", valueName: "file"), completion: .file())
  var files: [String]

  func run() throws {
    var summaries: [FileSummary] = []
    var hasFailed = false
    for argument in files {
      do {
        let listing = try FileListing(path: argument)
        if !json, let line = listing.line { print(line) }
        for path in listing.tensorFiles {
          do {
            let summary =
              LeRobotDataset.isLikely(path)
              ? try LeRobotDataset(folder: path).summary() : try FileSummary(path: path)
            if json { summaries.append(summary) } else { print(SummaryTable(summary).text) }
          } catch {
            report(error, &hasFailed)
          }
        }
      } catch {
        report(error, &hasFailed)
      }
    }
    if json { print(try InspectReport(summaries).jsonLine) }
    if hasFailed { throw ExitCode.failure }
  }

  /// One file's failure does not keep the others from being shown.
  private func report(_ error: FileError, _ hasFailed: inout Bool) {
    StandardError.write("attune: \(error)")
    hasFailed = true
  }
}

/// What `inspect --json` prints.
struct InspectReport: Encodable {
  struct File: Encodable {
    let path: String
    let kind: String
    let tensors: [Tensor]
  }

  struct Tensor: Encodable {
    let name: String
    let type: String
    let shape: [Int]
  }

  let files: [File]

  init(_ summaries: [FileSummary]) {
    files = summaries.map { summary in
      File(
        path: summary.path, kind: summary.kind,
        tensors: summary.tensors.map { Tensor(name: $0.name, type: $0.type, shape: $0.shape) })
    }
  }
}

/// A summary as text for people.
struct SummaryTable {
  let text: String

  private static let maxItemCount = 100
  private static let maxValueLength = 200

  init(_ summary: FileSummary) {
    let shown = summary.items.prefix(SummaryTable.maxItemCount)
    let cut = summary.items.count - shown.count
    let lines =
      ["\(summary.path.printable): \(summary.kind)"]
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

/// The files and data sets that an argument of `inspect` stands for: itself, or what is in the
/// folder.
struct FileListing {
  /// Files with tensors and folders of data sets, sorted.
  let tensorFiles: [String]
  /// What a folder holds; nil for a file.
  let line: String?

  private static let maxDepth = 8
  private static let maxOtherCount = 20

  init(path: String) throws(FileError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue
    else {
      tensorFiles = [path]
      line = nil
      return
    }
    let root = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    guard !FileListing.isDataSet(root) else {
      tensorFiles = [root]
      line = nil
      return
    }
    var files: [String] = []
    try FileListing.collect(root, depth: 0, into: &files)
    files.sort()
    let (tensorFiles, others) = FileListing.separated(files)
    self.tensorFiles = tensorFiles
    line = FileListing.line(root, tensorFileCount: tensorFiles.count, others: others)
  }

  /// Whether a folder is shown as a whole.
  private static func isDataSet(_ folder: String) -> Bool {
    LeRobotDataset.isLikely(folder) || ZarrFile.isLikely(folder: folder)
  }

  private static func separated(_ files: [String]) -> (tensorFiles: [String], others: [String]) {
    func isTensorFile(_ file: String) -> Bool {
      isDataSet(file)
        || FileKind.usualSuffixes.contains { file.lowercased().hasSuffix($0) }
    }
    return (files.filter(isTensorFile), files.filter { !isTensorFile($0) })
  }

  /// Folders behind links are left out, as they may lead back.
  private static func collect(
    _ folder: String, depth: Int, into files: inout [String]
  ) throws(FileError) {
    guard depth < maxDepth else { return }
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder)
    } catch {
      throw FileError(
        .system, path: folder, problem: "cannot be listed", advice: "check its permissions")
    }
    for name in names where !name.hasPrefix(".") {
      let path = folder == "/" ? "/\(name)" : "\(folder)/\(name)"
      let type =
        try? FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
      if type == .typeDirectory, isDataSet(path) {
        files.append(path)
      } else if type == .typeDirectory {
        try collect(path, depth: depth + 1, into: &files)
      } else if type == .typeRegular || type == .typeSymbolicLink {
        files.append(path)
      }
    }
  }

  private static func line(_ root: String, tensorFileCount: Int, others: [String]) -> String {
    var line = "\(root.printable): folder, \(tensorFileCount.counting("tensor file"))"
    guard !others.isEmpty else { return line }
    let shown = others.prefix(maxOtherCount).map { path in
      let name = String(path.dropFirst(root.count)).drop { $0 == "/" }
      return "\(String(name).printable) (\(byteCount(path).counting("byte")))"
    }
    line += "; also \(shown.joined(separator: ", "))"
    if others.count > shown.count { line += " and \(others.count - shown.count) more" }
    return line
  }

  private static func byteCount(_ path: String) -> Int {
    // Follows links, unlike attributesOfItem.
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
  }
}
