import Foundation
import Testing

@testable import Media

private let canvas = PixelArea(x: 0..<40, y: 0..<30)

private func sum(_ coverage: Coverage) -> Double {
  coverage.area.y.reduce(0.0) { sum, y in
    coverage.area.x.reduce(sum) { $0 + Double(coverage[$1, y]) }
  }
}

private func filled(_ points: [(Double, Double)]) -> Coverage {
  let points = points.map { ChartPoint(x: $0.0, y: $0.1) }
  var coverage = Coverage(points, margin: 1, clip: canvas)
  coverage.fill(points)
  return coverage
}

@Test func polygonsCoverTheirArea() {
  #expect(abs(sum(filled([(2, 3), (12, 3), (12, 8), (2, 8)])) - 50) < 1e-3)
  #expect(abs(sum(filled([(2.25, 3.5), (12.5, 3.5), (12.5, 8), (2.25, 8)])) - 46.125) < 1e-3)
  #expect(abs(sum(filled([(5, 5), (30, 7), (11, 25)])) - 244) < 0.3)
  // Cut off at the edges: only 10 x 30 pixels are on the canvas.
  #expect(abs(sum(filled([(30, -50), (90, -50), (90, 90), (30, 90)])) - 300) < 1e-3)
  // A bow tie: two triangles of 25, the crossing counted once.
  #expect(abs(sum(filled([(0, 0), (10, 10), (10, 0), (0, 10)])) - 50) < 0.1)
  #expect(sum(filled([(1, 1), (5, 5)])) == 0)
}

@Test func strokesCoverTheirLength() {
  func stroked(_ a: (Double, Double), _ b: (Double, Double), width: Double) -> Double {
    let points = [ChartPoint(x: a.0, y: a.1), ChartPoint(x: b.0, y: b.1)]
    var coverage = Coverage(points, margin: width / 2 + 1, clip: canvas)
    coverage.stroke(from: points[0], to: points[1], width: width)
    return sum(coverage)
  }
  // Length times width and the two round ends.
  for (a, b) in [((5.0, 10.0), (30.0, 10.0)), ((5, 5), (20, 25)), ((30, 5), (28, 25))] {
    let length = hypot(b.0 - a.0, b.1 - a.1)
    let ends = Double.pi * 2.25
    #expect(abs(stroked(a, b, width: 3) - (length * 3 + ends)) < 0.03 * length * 3)
  }
  #expect(abs(stroked((10, 10), (10, 10), width: 8) - Double.pi * 16) < 1)
}

@Test func strokesHaveNoHolesAndNoExcess() {
  // Against the plain definition, pixel by pixel.
  var generator = SeededGenerator(state: 3)
  for _ in 0..<100 {
    func point() -> ChartPoint {
      ChartPoint(
        x: Double.random(in: -10...50, using: &generator),
        y: Double.random(in: -10...40, using: &generator))
    }
    let (a, b) = (point(), point())
    let width = Double.random(in: 0.5...6, using: &generator)
    var coverage = Coverage([a, b], margin: width / 2 + 1, clip: canvas)
    coverage.stroke(from: a, to: b, width: width)
    for y in coverage.area.y {
      for x in coverage.area.x {
        let (px, py) = (Double(x) + 0.5 - a.x, Double(y) + 0.5 - a.y)
        let (dx, dy) = (b.x - a.x, b.y - a.y)
        let along = max(0, min(1, (px * dx + py * dy) / (dx * dx + dy * dy)))
        let distance = hypot(px - along * dx, py - along * dy)
        let share = max(0, min(1, width / 2 + 0.5 - distance))
        #expect(abs(Double(coverage[x, y]) - share) < 1e-6)
      }
    }
  }
}

@Test func dashesAddUp() {
  let chain = [(0.0, 0.0), (10.0, 0.0), (10.0, 25.0)].map { ChartPoint(x: $0.0, y: $0.1) }
  let pieces = Dashes.cut(chain, lengths: [4, 3])
  func length(_ points: [ChartPoint]) -> Double {
    zip(points, points.dropFirst()).reduce(0) { $0 + hypot($1.1.x - $1.0.x, $1.1.y - $1.0.y) }
  }
  #expect(pieces.map(length) == [4, 4, 4, 4, 4])
  #expect(pieces[1].count == 3)  // around the corner
  #expect(pieces[0][0] == chain[0] && pieces[4][1] == ChartPoint(x: 10, y: 22))
}

@Test func theStrokeFontHasEveryPrintableCharacter() {
  let font = StrokeFont.standard
  let unknown = font.strokes(of: "\u{4E2D}", size: 20)
  #expect(!unknown.isEmpty)
  for code in UInt8(33)...126 {
    let text = String(UnicodeScalar(code))
    let strokes = font.strokes(of: text, size: 20)
    let points = strokes.joined()
    #expect(!points.isEmpty && strokes != unknown, "\(text)")
    let width = font.width(of: text, size: 20)
    #expect(points.allSatisfy { (-0.5...width + 0.5).contains($0.x) }, "\(text)")
    #expect(points.allSatisfy { (-5...16.5).contains($0.y) }, "\(text)")
  }
  #expect(font.strokes(of: " ", size: 20).isEmpty)
  #expect(Set("0123456789".map { font.width(of: String($0), size: 12) }).count == 1)
}
