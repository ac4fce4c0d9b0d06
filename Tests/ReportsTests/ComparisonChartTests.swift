import Media
import Runs
import Testing

@testable import Reports

@Suite struct ComparisonChartTests {
  private func run(_ name: String, offset: Int) throws -> SyntheticRun {
    try SyntheticRun(
      name: name,
      metrics: SyntheticRun.lines(5) {
        #""reward": \#($0 + offset), "rewardStandardError": 0.5, "length": \#($0)"#
      })
  }

  @Test func curvesOfSeveralRuns() throws {
    let runs = try [run("seed-0", offset: 0), run("seed-1", offset: 10)]
    defer { withExtendedLifetime(runs) {} }
    let sources = runs.map { ComparisonChart.Source(path: $0.path + "/") }
    let chart = try ComparisonChart(sources, metrics: ["reward"], axis: .step, title: "T").chart
    #expect(chart.series.map(\.name) == ["seed-0", "seed-1"])
    #expect(chart.series[1].x == [32, 64, 96, 128, 160])
    #expect(chart.series[1].y == [11, 12, 13, 14, 15])
    #expect(chart.series[1].spread == [0.5, 0.5, 0.5, 0.5, 0.5])
    #expect(chart.xLabel == "step" && chart.yLabel == "reward" && chart.title == "T")
  }

  @Test func severalMetricsAndLabels() throws {
    let run = try run("a", offset: 0)
    defer { withExtendedLifetime(run) {} }
    let one = try ComparisonChart([.init(path: run.path)], metrics: ["reward", "length"]).chart
    #expect(one.series.map(\.name) == ["reward", "length"])
    #expect(one.series[1].spread.isEmpty && one.yLabel == nil && one.xLabel == "iteration")
    #expect(one.series[0].x == [1, 2, 3, 4, 5])
    let labeled = try ComparisonChart(
      [.init(path: run.path, label: "ours"), .init(path: run.path, label: "theirs")],
      metrics: ["reward", "length"]
    ).chart
    #expect(
      labeled.series.map(\.name) == [
        "ours, reward", "ours, length", "theirs, reward", "theirs, length",
      ])
    // Standard errors can be asked for by name.
    let error = try ComparisonChart([.init(path: run.path)], metrics: ["rewardStandardError"])
    #expect(error.chart.series.first?.y == [0.5, 0.5, 0.5, 0.5, 0.5])
  }

  @Test func missingMetricsNameTheNearest() throws {
    let run = try run("a", offset: 0)
    defer { withExtendedLifetime(run) {} }
    func message(_ key: String, _ path: String) -> String {
      do {
        _ = try ComparisonChart([.init(path: path)], metrics: [key])
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(message("rewrad", run.path).hasSuffix("did you mean 'reward'?"))
    #expect(message("Length", run.path).hasSuffix("did you mean 'length'?"))
    #expect(message("x", run.path).hasSuffix("choose from length, reward, rewardStandardError"))
    let new = try SyntheticRun()
    defer { withExtendedLifetime(new) {} }
    #expect(message("reward", new.path).hasSuffix("the run has not written any yet"))
    #expect(message("reward", new.path + "x").contains("is not a run folder"))
  }

  @Test func damagedLinesAreSaid() throws {
    let run = try run("a", offset: 0)
    defer { withExtendedLifetime(run) {} }
    try run.write(
      SyntheticRun.lines(2) { #""reward": \#($0)"# } + "{", to: "metrics.jsonl")
    let comparison = try ComparisonChart([.init(path: run.path)], metrics: ["reward"])
    #expect(comparison.chart.series.first?.y == [1, 2])
    #expect(comparison.notes.count == 1 && comparison.notes[0].contains("line 3 cannot be read"))
  }
}
