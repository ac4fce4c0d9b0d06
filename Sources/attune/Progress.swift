import Foundation

/// A progress bar with rate and time left on a terminal, plain lines now and then elsewhere.
struct Progress {
  private let label: String
  private let total: Int
  private let unit: String
  private let isQuiet: Bool
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let start = ContinuousClock.now
  private var lastLine = ContinuousClock.now - .seconds(60)
  /// How often a line is written where it cannot be written over.
  private static let lineInterval = Duration.seconds(10)
  private static let barWidth = 30

  init(_ label: String, total: Int, unit: String, isQuiet: Bool) {
    self.label = label
    self.total = total
    self.unit = unit
    self.isQuiet = isQuiet
  }

  /// Shows that `done` of the total are done.
  mutating func update(_ done: Int) {
    guard !isQuiet else { return }
    let now = ContinuousClock.now
    let isLast = done == total
    guard isTerminal || isLast || now - lastLine >= Self.lineInterval else { return }
    lastLine = now
    let elapsed = (now - start) / .seconds(1)
    let rate = Double(done) / max(elapsed, 1e-9)
    let left = rate > 0 ? Double(total - done) / rate : .infinity
    let numbers =
      "\(grouped(done))/\(grouped(total)) \(unit)s, \(Self.text(rate)) \(unit)s/s, "
      + (isLast ? "took \(Self.time(elapsed))" : "\(Self.time(left)) left")
    guard isTerminal else { return StandardError.write("\(label): \(numbers)") }
    let filled = Self.barWidth * done / max(total, 1)
    let bar =
      String(repeating: "#", count: filled)
      + String(repeating: ".", count: Self.barWidth - filled)
    // Back to the start of the line, and clear what an earlier, longer one left.
    let line = "\r\(label) [\(bar)] \(numbers)\u{1B}[K\(isLast ? "\n" : "")"
    try? FileHandle.standardError.write(contentsOf: Data(line.utf8))
  }

  private static func text(_ rate: Double) -> String {
    rate >= 100 ? grouped(Int(rate)) : String(format: "%.1f", rate)
  }

  private static func time(_ seconds: Double) -> String {
    guard seconds.isFinite else { return "unknown" }
    let whole = Int(seconds.rounded())
    if whole >= 3600 { return "\(whole / 3600) h \(whole % 3600 / 60) min" }
    return whole >= 60 ? "\(whole / 60) min \(whole % 60) s" : "\(whole) s"
  }
}
