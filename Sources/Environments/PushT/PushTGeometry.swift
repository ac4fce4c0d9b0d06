import Glibc

/// The sizes of the Push-T benchmark, in pixels of its 512 x 512 plane; y points down.
enum PushTGeometry {
  typealias Point = SIMD2<Double>

  static let planeSize = 512.0
  static let agentRadius = 15.0
  static let wallRadius = 2.0
  static let walls: [(Point, Point)] = [
    (Point(5, 506), Point(5, 5)), (Point(5, 5), Point(506, 5)),
    (Point(506, 5), Point(506, 506)), (Point(5, 506), Point(506, 506)),
  ]

  /// The bar of the T and its stem, in the block's own frame.
  static let bar = [Point(-60, 30), Point(60, 30), Point(60, 0), Point(-60, 0)]
  static let stem = [Point(-15, 30), Point(-15, 120), Point(15, 120), Point(15, 30)]
  static let blockArea = 120.0 * 30 + 30 * 90

  /// Where the block is to go.
  static let goal = Pose(position: Point(256, 256), angle: .pi / 4)

  /// Nine points on the block, in its own frame, that the benchmark's demonstrations record.
  static let keypoints = [
    Point(9.269786, 90.040974), Point(-60.983472, -1.186730), Point(60.912755, -1.393363),
    Point(-0.270504, 25.543625), Point(-14.064927, 122.815854), Point(39.002738, 32.857404),
    Point(-39.966414, 32.729655), Point(-16.824344, 62.863179), Point(23.541461, -1.700288),
  ]

  /// A place and a direction in the plane.
  struct Pose: Equatable {
    var position: Point
    var angle: Double

    /// A point of the body's own frame, in the plane.
    func callAsFunction(_ point: Point) -> Point {
      let (sine, cosine) = (sin(angle), cos(angle))
      return position
        + Point(cosine * point.x - sine * point.y, sine * point.x + cosine * point.y)
    }
  }

  /// The fraction of the goal that a block covers, in [0, 1].
  static func coverage(of block: Pose) -> Double {
    let ours = [bar.map { block($0) }, stem.map { block($0) }]
    var shared = 0.0
    // Bar and stem meet in a line, so nothing is counted twice.
    for part in ours {
      for goalPart in goalParts { shared += ConvexPolygons.sharedArea(part, goalPart) }
    }
    return shared / blockArea
  }

  /// Bar and stem at the goal.
  static let goalParts = [bar.map { goal($0) }, stem.map { goal($0) }]
}

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
