import Foundation
import NeuralNetworks
import Testing

/// Numbers join by what they are.
@Suite struct MetricsTests {
  @Test func kindsSayHowNumbersJoin() throws {
    func metrics(_ numbers: [Double], rate: Double) -> Metrics {
      var metrics = Metrics(["loss": .mean, "rows": .sum, "largest": .maximum])
      for number in numbers {
        for name in ["loss", "rows", "largest"] { metrics.add(name, number) }
      }
      metrics["rate"] = rate
      metrics.add(seconds: 2, to: "sample")
      return metrics
    }
    var window = Metrics()
    window.join(metrics([6], rate: 0.5))
    window.join(metrics([1, 2], rate: 0.25))
    let expected = ["loss": 3.0, "rows": 9, "largest": 6, "rate": 0.25]
    #expect(window.values == expected)
    #expect(window.names == ["loss", "rows", "largest", "rate"])
    #expect(window.seconds == ["sample": 4] && window.sections == ["sample"])
    // As a checkpoint keeps them.
    let copy = try JSONDecoder().decode(Metrics.self, from: JSONEncoder().encode(window))
    #expect(copy.values == expected && copy.names == window.names)
  }

  @Test func whatWasNotAddedIsZero() {
    let metrics = Metrics(["loss": .mean, "count": .sum])
    #expect(metrics["loss"] == 0 && metrics["count"] == 0 && metrics["other"] == nil)
    #expect(metrics.sections.isEmpty && !metrics.isEmpty && Metrics().isEmpty)
  }
}
