/// A progress bar with rate and time left on a terminal, plain lines now and then elsewhere.
public struct ProgressBar {
  private let label: String
  private let total: Int
  private let unit: String
  private let isQuiet: Bool
  private let isTerminal: Bool
  private let write: (String) -> Void
  private let alreadyDone: Int
  private let start = ContinuousClock.now
  private var lastLine = ContinuousClock.now - .seconds(60)
  /// How often a line is written where it cannot be written over.
  private static let lineInterval = Duration.seconds(10)
  private static let barWidth = 30

  /// Makes a bar; nothing is shown before the first update.
  ///
  /// - Parameters:
  ///   - label: what is going on, as in "finetune".
  ///   - total: how many units there are.
  ///   - alreadyDone: how many were done before, in a run that is resumed; they do not count in the
  ///     rate.
  ///   - unit: what is counted, in the singular.
  ///   - isQuiet: whether nothing is shown.
  public init(
    _ label: String, total: Int, alreadyDone: Int = 0, unit: String, isQuiet: Bool
  ) {
    self.init(
      label, total: total, alreadyDone: alreadyDone, unit: unit, isQuiet: isQuiet,
      isTerminal: StandardError.isTerminal, write: StandardError.write(text:))
  }

  init(
    _ label: String, total: Int, alreadyDone: Int, unit: String, isQuiet: Bool, isTerminal: Bool,
    write: @escaping (String) -> Void
  ) {
    self.label = label
    self.total = total
    self.alreadyDone = alreadyDone
    self.unit = unit
    self.isQuiet = isQuiet
    self.isTerminal = isTerminal
    self.write = write
  }

  /// Shows that `done` of the total are done, with a few words on how it goes.
  public mutating func update(_ done: Int, note: String = "") {
    guard !isQuiet else { return }
    let now = ContinuousClock.now
    let isLast = done == total
    guard isTerminal || isLast || now - lastLine >= Self.lineInterval else { return }
    lastLine = now
    let elapsed = (now - start) / .seconds(1)
    let rate = Double(done - alreadyDone) / max(elapsed, 1e-9)
    let left = rate > 0 ? Double(total - done) / rate : .infinity
    let numbers =
      "\(done.grouped)/\(total.grouped) \(unit.plural), \(Self.text(rate)) \(unit.plural)/s, "
      + (isLast ? "took \(TimeText.rounded(elapsed))" : "\(TimeText.rounded(left)) left")
      + (note.isEmpty ? "" : ", \(note)")
    guard isTerminal else { return write("\(label): \(numbers)\n") }
    let filled = min(Self.barWidth, Self.barWidth * done / max(total, 1))
    let bar =
      String(repeating: "#", count: filled)
      + String(repeating: ".", count: Self.barWidth - filled)
    // Back to the start of the line, and clear what an earlier, longer one left.
    write("\r\(label) [\(bar)] \(numbers)\u{1B}[K\(isLast ? "\n" : "")")
  }

  /// Two digits at least: slow work is counted in hundredths.
  private static func text(_ rate: Double) -> String {
    if rate >= 100 { return rate < 1e15 ? Int(rate).grouped : "many" }
    let hundredths = Int((rate * 100).rounded())
    if rate >= 1 { return "\(hundredths / 100).\(hundredths % 100 / 10)" }
    return "0.\(hundredths < 10 ? "0" : "")\(hundredths)"
  }
}
