import Foundation
import Media
import Runs
import Testing

@testable import Reports

/// The curves and numbers of a page are those of the metrics.
@Suite struct CurveTests {
  private let run: SyntheticRun

  init() throws {
    run = try SyntheticRun(
      config: "policy: {network: mlp}\ndemonstrations: {path: a.npz}\ntraining: {batchCount: 60}\n",
      metrics: SyntheticRun.lines(30) { index in
        let evaluation =
          index.isMultiple(of: 10)
          ? #", "evaluationReturn": \#(100 - abs(20 - index)), "evaluationStandardError": 2.5"# : ""
        return
          #""loss": \#(8.0 / Double(index * index)), "odd": \#(index == 4 ? "null" : "\(index)"), "same": 3.5"#
          + evaluation
      })
  }

  @Test func everyPointOfEveryMetricIsThere() throws {
    let page = PageCheck(try run.report().html)
    let data = try page.hoverData()
    #expect(data.noun == "batch")
    #expect(data.curves.map(\.name) == ["evaluationReturn", "loss", "odd"])
    let (records, _) = try MetricsReader.salvage(path: "\(run.path)/metrics.jsonl")
    for curve in data.curves {
      let expected = records.filter { $0[curve.name] != nil }
      #expect(curve.x == expected.map(\.iteration), "\(curve.name)")
      #expect(curve.s == expected.map(\.step))
      #expect(curve.y.count == expected.count)
      for (shown, record) in zip(curve.y, expected) {
        let value = try #require(record[curve.name])
        guard value.isFinite else {
          #expect(shown == nil)
          continue
        }
        let difference = abs(try #require(shown) - value)
        #expect(!(difference > 1e-5 * abs(value)))
      }
    }
    #expect(data.curves[0].e == [2.5, 2.5, 2.5])
    #expect(data.curves[1].isLogarithmic && !data.curves[0].isLogarithmic)
    // What never changes has no curve but is named.
    #expect(try run.report().html.contains("Unchanged: same 3.5."))
  }

  @Test func drawnPointsLieWhereThePointerFindsThem() throws {
    let page = PageCheck(try run.report().html)
    let curves = try page.hoverData().curves
    #expect(page.drawings.count == curves.count)
    for (curve, drawing) in zip(curves, page.drawings) {
      let lines = drawing.matches(of: #/<polyline points="([^"]*)"[^>]*stroke-width="2"/#)
      let drawn = lines.flatMap { $0.output.1.split(separator: " ") }.map { pair in
        pair.split(separator: ",").compactMap { Double($0) }
      }
      let finite = zip(curve.x, curve.y).compactMap { x, y in y.map { (Double(x), $0) } }
      #expect(drawn.count == finite.count, "\(curve.name)")
      for (point, (x, y)) in zip(drawn, finite) {
        let (left, top, right, bottom) = (
          curve.plot[0], curve.plot[1], curve.plot[2], curve.plot[3]
        )
        let range = curve.range
        let part =
          curve.isLogarithmic
          ? log(y / range[2]) / log(range[3] / range[2]) : (y - range[2]) / (range[3] - range[2])
        let expected = [
          left + (x - range[0]) / (range[1] - range[0]) * (right - left),
          bottom - part * (bottom - top),
        ]
        #expect(!(abs(point[0] - expected[0]) > 0.02) && !(abs(point[1] - expected[1]) > 0.02))
      }
    }
  }

  @Test func headlinesAreFirstBestAndLast() throws {
    let html = try run.report().html
    let cards = html.matches(
      of: #/<div class="card">\n<h3>(.*?)<\/h3>\n(.*?)\n<\/div>/#.dotMatchesNewlines())
    #expect(cards.map { String($0.output.1) } == ["evaluation return", "loss"])
    let first = try #require(cards.first).output.2
    #expect(first.contains("<p class=\"value\">90.0 ± 2.5"))
    #expect(first.contains("best <b>100.0 ± 2.5</b> at batch 20"))
    #expect(!first.contains("class=\"change"))  // it ends where it began
    let loss = try #require(cards.last).output.2
    #expect(loss.contains("first <b>8</b>") && loss.contains("change better"))
    #expect(loss.contains("best <b>0.0089</b> at batch 30"))
    #expect(html.contains("at batch 30 of 60"))
    #expect(html.contains("attune policy pretrain --resume "))
  }

  @Test func thinningKeepsTheEndsAndTheExtremes() throws {
    let records = (1...50_000).map { index in
      MetricsRecord(
        iteration: index, step: index,
        values: ["loss": index == 31_415 ? -5 : index == 27_182 ? 9 : sin(Double(index))])
    }
    let curve = try #require(MetricCurve.all(of: records).first)
    let thin = curve.thinned(toAbout: 2_000)
    #expect((1_500...2_100).contains(thin.count))
    #expect(thin.first?.iteration == 1 && thin.last?.iteration == 50_000)
    #expect(thin.contains { $0.value == -5 } && thin.contains { $0.value == 9 })
    #expect(zip(thin, thin.dropFirst()).allSatisfy { $0.iteration < $1.iteration })
    #expect(curve.thinned(toAbout: 50_000).count == 50_000)
  }

  @Test func namesTellWhatIsBetter() {
    func name(_ key: String) -> MetricName { MetricName(key: key) }
    #expect(name("evaluationSuccessRate").words == "evaluation success rate")
    #expect(name("approximateKL").words == "approximate KL")
    #expect(name("klDivergence").words == "KL divergence")
    #expect(name("minimumSNRGamma").words == "minimum SNR gamma")
    #expect(name("").words == "")
    #expect(name("loss").direction == .down && name("validationLoss").direction == .down)
    #expect(name("reward").direction == .up && name("retrievalAccuracyHeldOut").direction == .up)
    #expect(name("policyLoss").direction == .none && name("learningRate").direction == .none)
    let keys: Set = [
      "reward", "rewardStandardError", "evaluationReturn", "evaluationStandardError",
      "aStandardError",
    ]
    #expect(name("rewardStandardError").owner(among: keys) == "reward")
    #expect(name("evaluationStandardError").owner(among: keys) == "evaluationReturn")
    #expect(name("aStandardError").owner(among: keys) == nil)
    #expect(name("reward").owner(among: keys) == nil)
  }

  @Test func numbersAreShort() {
    #expect(NumberText.short(0.61254) == "0.6125")
    #expect(NumberText.short(12_769.6) == "12,770")
    #expect(NumberText.short(5.955e-5) == "5.955e-5")
    #expect(NumberText.short(-2.5e12) == "-2.5e12")
    #expect(NumberText.short(.nan) == "not a number")
    #expect(NumberText.short(1) == "1" && NumberText.short(-0.0) == "0")
    #expect(NumberText.short(0.6, error: 0.021) == "0.600 ± 0.021")
    #expect(NumberText.short(3_092, error: 41) == "3,092 ± 41")
    #expect(NumberText.short(2, error: .nan) == "2")
    #expect(NumberText.byteCount(1) == "1 byte" && NumberText.byteCount(3_210_000) == "3.2 MB")
  }
}
