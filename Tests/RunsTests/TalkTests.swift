import Foundation
import Testing

@testable import Runs

@Suite struct TalkTests {
  @Test func numbersAreGrouped() {
    #expect([0, 999, 1000, -1_234_567].map(\.grouped) == ["0", "999", "1,000", "-1,234,567"])
    #expect([1, 0, 2000].map { $0.counting("step") } == ["1 step", "0 steps", "2,000 steps"])
  }

  @Test func numbersAreShort() {
    #expect(
      [0.6124, 41.26, 3092.4, -0.5, 0].map(\.short) == [
        "0.612", "41.26", "3092", "-0.500", "0.000",
      ])
    // A reward of a user's own program may be of any size.
    #expect([1e20, -2.5e-9, -1e300].map(\.short) == ["1e20", "-2.5e-9", "-1e300"])
    #expect([Double.nan, .infinity].map(\.short) == ["nan", "inf"])
  }

  @Test func timesRead() {
    #expect(
      [59.6, 61, 7300, .infinity].map(TimeText.rounded) == [
        "1 min 0 s", "1 min 1 s", "2 h 1 min", "unknown",
      ])
    #expect([0.004, 1.257, 12.4].map(TimeText.precise) == ["0.00 s", "1.26 s", "12 s"])
  }

  @Test func breakdownAddsUpAndGoesOn() throws {
    var times = TimeBreakdown()
    times.add(.seconds(75), to: "simulate")
    times.add(.milliseconds(1500), to: "sample")
    #expect(times.measure("update") { 7 } == 7)
    let stored = try JSONEncoder().encode(times)
    var resumed = try JSONDecoder().decode(TimeBreakdown.self, from: stored)
    #expect(resumed == times)
    resumed.add(.milliseconds(23_500), to: "sample")
    #expect(resumed.sections == ["simulate", "sample", "update"])
    #expect(resumed.seconds["sample"] == 25)
    #expect(
      resumed.table
        == """
        simulate  1 min 15 s   75%
        sample          25 s   25%
        update        0.00 s    0%
        total     1 min 40 s  100%
        """)
  }

  @Test func breakdownCountsWhatThrows() {
    struct Failure: Error {}
    var times = TimeBreakdown()
    #expect(throws: Failure.self) { try times.measure("update") { throw Failure() } }
    #expect(times.sections == ["update"])
    #expect(TimeBreakdown().table == "total  0.00 s    0%")
  }

  /// Collects what a bar writes.
  private final class Screen {
    var text = ""
  }

  private func bar(_ screen: Screen, isTerminal: Bool, isQuiet: Bool = false) -> ProgressBar {
    ProgressBar(
      "finetune", total: 4, alreadyDone: 1, unit: "iteration", isQuiet: isQuiet,
      isTerminal: isTerminal, write: { screen.text += $0 })
  }

  @Test func barOnATerminal() {
    let screen = Screen()
    var bar = bar(screen, isTerminal: true)
    bar.update(2)
    #expect(screen.text.hasPrefix("\rfinetune [###############...............] 2/4 iterations, "))
    #expect(screen.text.contains("iterations/s, 0 s left\u{1B}[K"))
    bar.update(4, note: "return 3.0")
    #expect(screen.text.hasSuffix("took 0 s, return 3.0\u{1B}[K\n"))
  }

  @Test func linesElsewhere() {
    let screen = Screen()
    var bar = bar(screen, isTerminal: false)
    for done in 1...4 { bar.update(done) }
    // The first and the last: those between come too soon.
    let lines = screen.text.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines.first == "finetune: 1/4 iterations, 0.00 iterations/s, unknown left")
    #expect(lines.last?.hasPrefix("finetune: 4/4 iterations, ") == true)
    #expect(!screen.text.contains("\r"))
  }

  @Test func quietSaysNothingButWarnings() {
    let screen = Screen()
    var bar = bar(screen, isTerminal: true, isQuiet: true)
    bar.update(4)
    #expect(screen.text.isEmpty)
  }
}
