import Foundation
import Media
import Reports
import Runs

/// A run folder of a test's own making, which disappears with its last user.
final class SyntheticRun {
  let path: String
  private let parent: URL

  /// - Parameter name: the folder's name, which the page shows.
  init(name: String = "run", config: String? = "seed: 7\n", metrics: String? = nil) throws {
    parent = FileManager.default.temporaryDirectory.appending(path: "reports-\(UUID().uuidString)")
    path = parent.appending(path: name).path
    for folder in ["images", "videos", "checkpoints"] {
      try FileManager.default.createDirectory(
        atPath: "\(path)/\(folder)", withIntermediateDirectories: true)
    }
    if let config { try write(config, to: "config.yaml") }
    if let metrics { try write(metrics, to: "metrics.jsonl") }
  }

  /// The page; the folder stays until it is made, which is not so for one who asks for `path` only.
  func report(limits: ReportLimits = ReportLimits()) throws -> RunReport {
    try withExtendedLifetime(self) { try RunReport(runs: [path], limits: limits) }
  }

  deinit { try? FileManager.default.removeItem(at: parent) }

  func write(_ text: String, to name: String) throws { try write(Data(text.utf8), to: name) }

  func write(_ data: Data, to name: String) throws {
    try data.write(to: URL(filePath: "\(path)/\(name)"))
  }

  /// An image of one color.
  func writeImage(_ name: String, width: Int = 6, shade: UInt8 = 90) throws {
    let image = Image(width: width, height: 4, channelCount: 3) { samples in
      samples.update(repeating: shade)
    }
    try image.writePNG(to: "\(path)/images/\(name).png")
  }

  /// What begins as an MP4 file does, of that many bytes.
  func writeVideo(_ name: String, byteCount: Int) throws {
    var data = Data([0, 0, 0, 32]) + Data("ftypisom".utf8)
    data.append(Data(repeating: 1, count: byteCount - data.count))
    try write(data, to: "videos/\(name).mp4")
  }

  /// Lines of metrics as runs write them.
  static func lines(_ count: Int, _ members: (Int) -> String) -> String {
    (1...count).map { #"{"iteration": \#($0), "step": \#($0 * 32), \#(members($0))}"# + "\n" }
      .joined()
  }
}
