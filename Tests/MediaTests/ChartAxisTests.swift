import Testing

@testable import Media

private func axis(
  _ low: Double, _ high: Double, scale: LineChart.Scale = .linear, margin: Double = 0
) -> ChartAxis {
  ChartAxis(scale: scale, values: [low, high], range: nil, margin: margin)
}

private func labels(_ axis: ChartAxis, count: Int = 5) -> [String] {
  axis.ticks(count: count).map(\.label)
}

@Test func linearTicksAreRound() {
  #expect(labels(axis(0, 1)) == ["0", "0.2", "0.4", "0.6", "0.8", "1.0"])
  #expect(labels(axis(-3.2, 4.1)) == ["-2", "0", "2", "4"])
  #expect(labels(axis(0, 1_000_000)) == ["0", "0.2M", "0.4M", "0.6M", "0.8M", "1.0M"])
  #expect(labels(axis(0, 42_000)) == ["0", "10k", "20k", "30k", "40k"])
  #expect(labels(axis(8_000, 9_500)) == ["8000", "8500", "9000", "9500"])
  #expect(labels(axis(0, 3e-4), count: 3) == ["0", "1e-4", "2e-4", "3e-4"])
  #expect(labels(axis(2.5e-5, 3.5e-5), count: 4) == ["2.5e-5", "3.0e-5", "3.5e-5"])
  #expect(labels(axis(0, 2e20), count: 4) == ["0", "0.5e20", "1.0e20", "1.5e20", "2.0e20"])
  #expect(labels(axis(1_000_000, 1_000_004), count: 4).first == "1.000000M")
}

@Test func ticksLieInsideTheirAxis() {
  var generator = SeededGenerator(state: 11)
  for _ in 0..<2_000 {
    let size = Double.random(in: -12...12, using: &generator)
    let middle = Double.random(in: -1...1, using: &generator) * 1e3
    let half = (0..<Int(abs(size))).reduce(1.0) { value, _ in size < 0 ? value / 10 : value * 10 }
    let axis = axis(middle - half, middle + half, margin: 0.05)
    let ticks = axis.ticks(count: 6)
    #expect((2...15).contains(ticks.count), "\(middle) +- \(half): \(ticks.count) ticks")
    #expect(ticks.allSatisfy { (-1e-6...1 + 1e-6).contains(axis.position($0.value)) })
  }
}

@Test func logarithmicTicksAreDecades() {
  #expect(
    labels(axis(1e-5, 1e5, scale: .logarithmic), count: 20).filter { !$0.isEmpty }
      == ["1e-5", "1e-4", "0.001", "0.01", "0.1", "1", "10", "100", "1000", "10k", "100k"])
  #expect(
    labels(axis(1, 100, scale: .logarithmic)).filter { !$0.isEmpty }
      == ["1", "2", "5", "10", "20", "50", "100"])
  #expect(labels(axis(1, 100, scale: .logarithmic)).count == 19)
  // Fewer than eightfold: round steps, as on a linear axis.
  #expect(labels(axis(20, 80, scale: .logarithmic)) == ["20", "40", "60", "80"])
  #expect(labels(axis(1e-100, 1e100, scale: .logarithmic), count: 5).count <= 7)
  #expect(axis(1, 100, scale: .logarithmic).position(10) == 0.5)
}

@Test func axesFindTheirRange() {
  func range(_ values: [Double], _ scale: LineChart.Scale = .linear) -> [Double] {
    let axis = ChartAxis(scale: scale, values: values, range: nil, margin: 0)
    return [axis.lower, axis.upper]
  }
  #expect(range([3, .nan, -1, .infinity]) == [-1, 3])
  #expect(range([]) == [0, 1])
  #expect(range([.nan]) == [0, 1])
  #expect(range([0]) == [-0.5, 0.5])
  #expect(range([20, 20]) == [19, 21])
  #expect(range([0, -5, 2, 8], .logarithmic) == [2, 8])
  #expect(range([4], .logarithmic) == [2, 8])
  #expect(range([-1], .logarithmic) == [0.1, 1])
  let asked = ChartAxis(scale: .linear, values: [1, 2], range: -5...5, margin: 0.05)
  #expect(asked.lower == -5 && asked.upper == 5)
}
