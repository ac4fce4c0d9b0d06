/// How much of each pixel a shape covers, 0 to 1.
struct Coverage {
  /// The pixels around the shape that may be drawn on.
  let area: PixelArea
  private var shares: [Float]

  /// An empty cover of the pixels up to `margin` around `points`, inside `clip`.
  init(_ points: some Sequence<ChartPoint>, margin: Double, clip: PixelArea) {
    var (left, right, top, bottom) = (
      Double.infinity, -Double.infinity, Double.infinity, -Double.infinity
    )
    for point in points {
      (left, right) = (min(left, point.x), max(right, point.x))
      (top, bottom) = (min(top, point.y), max(bottom, point.y))
    }
    func range(_ low: Double, _ high: Double, in limits: Range<Int>) -> Range<Int> {
      guard low <= high else { return limits.lowerBound..<limits.lowerBound }
      let lower = Int((low - margin).rounded(.down))
      return (lower..<Int((high + margin).rounded(.up)) + 1).clamped(to: limits)
    }
    area = PixelArea(x: range(left, right, in: clip.x), y: range(top, bottom, in: clip.y))
    shares = [Float](repeating: 0, count: area.x.count * area.y.count)
  }

  subscript(x: Int, y: Int) -> Float {
    shares[(y - area.y.lowerBound) * area.x.count + x - area.x.lowerBound]
  }

  /// Adds a line with round ends; where lines of one shape overlap, the larger share counts, so
  /// that joints do not show.
  mutating func stroke(from start: ChartPoint, to end: ChartPoint, width: Double) {
    let reach = width / 2 + 0.5
    let (dx, dy) = (end.x - start.x, end.y - start.y)
    let squaredLength = dx * dx + dy * dy
    let rows = Coverage.pixels(min(start.y, end.y) - reach, max(start.y, end.y) + reach, in: area.y)
    for y in rows {
      let py = Double(y) + 0.5 - start.y
      // The part of the row within reach: around where the line's ends at this height are.
      var (low, high) = (min(0, dx), max(0, dx))
      if abs(dy) > 1e-9 {
        let (a, b) = ((py - reach) / dy, (py + reach) / dy)
        let (first, last) = (max(0, min(a, b)), min(1, max(a, b)))
        (low, high) = (min(first * dx, last * dx), max(first * dx, last * dx))
      }
      let columns = Coverage.pixels(start.x + low - reach, start.x + high + reach, in: area.x)
      for x in columns {
        let px = Double(x) + 0.5 - start.x
        let along =
          squaredLength > 0 ? max(0, min(1, (px * dx + py * dy) / squaredLength)) : 0
        let (ex, ey) = (px - along * dx, py - along * dy)
        let share = Float(max(0, min(1, reach - (ex * ex + ey * ey).squareRoot())))
        let index = (y - area.y.lowerBound) * area.x.count + x - area.x.lowerBound
        if share > shares[index] { shares[index] = share }
      }
    }
  }

  /// Adds the inside of a polygon (even-odd): sixteen lines of sight a row, exact along each.
  mutating func fill(_ points: [ChartPoint]) {
    guard points.count > 2 else { return }
    let lineCount = 16
    let crossings = edgeCrossings(points, lineCount: lineCount)
    for (line, unsorted) in crossings.enumerated() {
      let sorted = unsorted.sorted()
      let row = line / lineCount * area.x.count
      for pair in stride(from: 0, to: sorted.count - 1, by: 2) {
        addSpan(from: sorted[pair], to: sorted[pair + 1], row: row, share: 1 / Float(lineCount))
      }
    }
  }

  /// For every line of sight from the top, where edges cross it.
  private func edgeCrossings(_ points: [ChartPoint], lineCount: Int) -> [[Double]] {
    let (top, scale) = (Double(area.y.lowerBound), Double(lineCount))
    var crossings = [[Double]](repeating: [], count: area.y.count * lineCount)
    for (start, end) in zip(points, points.dropFirst() + points.prefix(1)) where start.y != end.y {
      let (upper, lower) = start.y < end.y ? (start, end) : (end, start)
      // Line k is at height top + (k + 1/2) / scale.
      let first = max(0, Int(((upper.y - top) * scale - 0.5).rounded(.up)))
      let last = min(crossings.count, Int(((lower.y - top) * scale - 0.5).rounded(.up)))
      for line in first..<max(first, last) {
        let y = top + (Double(line) + 0.5) / scale
        crossings[line].append(
          upper.x + (lower.x - upper.x) * (y - upper.y) / (lower.y - upper.y))
      }
    }
    return crossings
  }

  private mutating func addSpan(from start: Double, to end: Double, row: Int, share: Float) {
    let left = max(start - Double(area.x.lowerBound), 0)
    let right = min(end - Double(area.x.lowerBound), Double(area.x.count))
    guard right > left else { return }
    let (first, last) = (Int(left), min(Int(right), area.x.count - 1))
    for x in first...last {
      let covered = min(right, Double(x) + 1) - max(left, Double(x))
      shares[row + x] += Float(covered) * share
    }
  }

  /// The pixels that an interval touches.
  private static func pixels(_ low: Double, _ high: Double, in limits: Range<Int>) -> Range<Int> {
    let lower = Int(low.rounded(.down))
    return (lower..<max(lower, Int(high.rounded(.up)) + 1)).clamped(to: limits)
  }
}

/// A rectangle of pixels.
struct PixelArea: Equatable {
  var x: Range<Int>, y: Range<Int>

  /// The part inside a chart's rectangle.
  func clamped(to area: ChartArea, density: Double) -> PixelArea {
    func range(_ from: Double, _ to: Double, in limits: Range<Int>) -> Range<Int> {
      let lower = Int((from * density).rounded())
      return (lower..<max(lower, Int((to * density).rounded()))).clamped(to: limits)
    }
    return PixelArea(
      x: range(area.left, area.right, in: x), y: range(area.top, area.bottom, in: y))
  }
}
