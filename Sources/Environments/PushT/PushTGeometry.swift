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

  /// The share of the goal that a block covers, in [0, 1].
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
