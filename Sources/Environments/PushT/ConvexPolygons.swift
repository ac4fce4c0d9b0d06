/// Areas of convex polygons and of what two of them share.
enum ConvexPolygons {
  typealias Point = SIMD2<Double>

  /// The area within the vertices; negative if they run clockwise (y up).
  static func signedArea(_ vertices: some RandomAccessCollection<Point>) -> Double {
    guard let origin = vertices.first, var previous = vertices.last else { return 0 }
    // Relative to a vertex, so that a small polygon far from the origin loses no digits.
    previous -= origin
    var doubled = 0.0
    for vertex in vertices {
      let current = vertex - origin
      doubled += cross(previous, current)
      previous = current
    }
    return doubled / 2
  }

  /// The area that two convex polygons share (Sutherland and Hodgman, 1974).
  ///
  /// Either may run in either direction; shared edges and touching corners count nothing.
  static func sharedArea(_ first: [Point], _ second: [Point]) -> Double {
    // Each clipping line adds one vertex at most.
    let capacity = first.count + second.count
    let orientation: Double = signedArea(second) < 0 ? -1 : 1
    return withUnsafeTemporaryAllocation(of: Point.self, capacity: 2 * capacity) { memory in
      guard let base = memory.baseAddress else { return 0 }
      var current = UnsafeMutableBufferPointer(start: base, count: capacity)
      var next = UnsafeMutableBufferPointer(start: base + capacity, count: capacity)
      var count = first.count
      for (index, vertex) in first.enumerated() { current[index] = vertex }
      for (index, start) in second.enumerated() {
        let edge = second[(index + 1) % second.count] - start
        count = clip(current, count, from: start, along: orientation * edge, into: next)
        swap(&current, &next)
        if count < 3 { return 0 }
      }
      return abs(signedArea(UnsafeMutableBufferPointer(rebasing: current[..<count])))
    }
  }

  /// Keeps what lies to the left of a line and returns its vertex count.
  private static func clip(
    _ polygon: UnsafeMutableBufferPointer<Point>, _ count: Int, from start: Point,
    along edge: Point, into result: UnsafeMutableBufferPointer<Point>
  ) -> Int {
    var resultCount = 0
    var previous = polygon[count - 1]
    var previousSide = cross(edge, previous - start)
    for index in 0..<count {
      let vertex = polygon[index]
      let side = cross(edge, vertex - start)
      // Rounding can make a nearly flat polygon cross a line more than twice; it has no area there.
      if (side > 0) != (previousSide > 0), side != previousSide, resultCount < result.count {
        let fraction = previousSide / (previousSide - side)
        result[resultCount] = previous + fraction * (vertex - previous)
        resultCount += 1
      }
      if side > 0, resultCount < result.count {
        result[resultCount] = vertex
        resultCount += 1
      }
      previous = vertex
      previousSide = side
    }
    return resultCount
  }

  private static func cross(_ a: Point, _ b: Point) -> Double { a.x * b.y - a.y * b.x }
}
