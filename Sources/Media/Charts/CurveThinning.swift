/// Leaves out points that no one could see: hundreds of thousands of them make files slow to open.
enum CurveThinning {
  /// A vertical section of a band.
  struct Slice: Equatable {
    var x: Double, top: Double, bottom: Double
  }

  /// Points closer than this share a column.
  private static let columnWidth = 0.5

  private static func column(_ x: Double) -> Double { (x / columnWidth).rounded(.down) }

  /// Of the points in each column the first, highest, lowest and last, in their order.
  static func thinned(_ points: [ChartPoint]) -> [ChartPoint] {
    columns(points, \.x).flatMap { run -> [ChartPoint] in
      guard run.count > 4 else { return Array(run) }
      var kept = [run.startIndex, run.endIndex - 1]
      if let lowest = run.indices.max(by: { run[$0].y < run[$1].y }) { kept.append(lowest) }
      if let highest = run.indices.min(by: { run[$0].y < run[$1].y }) { kept.append(highest) }
      return Set(kept).sorted().map { run[$0] }
    }
  }

  /// One slice for each column, which covers all in it.
  static func thinned(_ slices: [Slice]) -> [Slice] {
    columns(slices, \.x).flatMap { run -> [Slice] in
      guard run.count > 4, let first = run.first, let last = run.last else { return Array(run) }
      let top = run.reduce(first.top) { min($0, $1.top) }
      let bottom = run.reduce(first.bottom) { max($0, $1.bottom) }
      return [
        Slice(x: first.x, top: top, bottom: bottom), Slice(x: last.x, top: top, bottom: bottom),
      ]
    }
  }

  /// Runs of consecutive elements in the same column.
  private static func columns<Element>(
    _ elements: [Element], _ x: (Element) -> Double
  ) -> [ArraySlice<Element>] {
    var runs: [ArraySlice<Element>] = []
    var start = 0
    for index in elements.indices.dropFirst() + [elements.count]
    where index == elements.count || column(x(elements[index])) != column(x(elements[start])) {
      runs.append(elements[start..<index])
      start = index
    }
    return runs
  }
}
