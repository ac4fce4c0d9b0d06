import Media

/// A picture that shapes are painted on with smooth edges.
///
/// A shape is its signed distance: negative inside, in units of the plane that the picture shows.
struct Canvas {
  typealias Point = SIMD2<Double>
  typealias Color = SIMD3<Float>

  private let width: Int
  private let height: Int
  /// Plane units in a pixel.
  private let unit: Point
  private var pixels: [Color]

  /// An empty picture of a plane that reaches from (0, 0), top left, to `planeSize`.
  init(width: Int, height: Int, planeSize: Double, background: Color) {
    self.width = width
    self.height = height
    unit = Point(planeSize / Double(width), planeSize / Double(height))
    pixels = Array(repeating: background, count: width * height)
  }

  /// Paints the points where `distance` is negative; they all lie within `lowest` and `highest`.
  mutating func paint(
    _ color: Color, from lowest: Point, to highest: Point, distance: (Point) -> Double
  ) {
    let columns = Self.range(lowest.x / unit.x, highest.x / unit.x, limit: width)
    let rows = Self.range(lowest.y / unit.y, highest.y / unit.y, limit: height)
    let blur = max(unit.x, unit.y)
    for row in rows {
      for column in columns {
        let center = Point(Double(column) + 0.5, Double(row) + 0.5) * unit
        // The share of the pixel inside, if the edge were straight there.
        let share = Float(min(max(0.5 - distance(center) / blur, 0), 1))
        if share > 0 {
          let index = row * width + column
          pixels[index] += share * (color - pixels[index])
        }
      }
    }
  }

  /// Paints a disc.
  mutating func paintDisc(_ color: Color, center: Point, radius: Double) {
    let reach = Point(repeating: radius)
    paint(color, from: center - reach, to: center + reach) { ($0 - center).length - radius }
  }

  /// Paints a line with round ends.
  mutating func paintLine(_ color: Color, from start: Point, to end: Point, radius: Double) {
    let reach = Point(repeating: radius)
    let low = pointwiseMin(start, end) - reach
    let high = pointwiseMax(start, end) + reach
    paint(color, from: low, to: high) { point in
      let line = end - start
      let position =
        ((point - start) * line).sum() / max((line * line).sum(), .leastNormalMagnitude)
      return (point - start - min(max(position, 0), 1) * line).length - radius
    }
  }

  /// Paints what convex polygons cover together, without seams where they meet.
  mutating func paintPolygons(_ color: Color, _ polygons: [[Point]]) {
    let outlines = polygons.map { Self.outwardEdges($0) }
    let vertices = polygons.joined()
    let far = Point(repeating: .infinity)
    let low = vertices.reduce(far) { pointwiseMin($0, $1) }
    let high = vertices.reduce(-far) { pointwiseMax($0, $1) }
    paint(color, from: low, to: high) { point in
      outlines.reduce(Double.infinity) { nearest, edges in
        min(nearest, edges.reduce(-.infinity) { max($0, ((point - $1.start) * $1.normal).sum()) })
      }
    }
  }

  private static func outwardEdges(_ polygon: [Point]) -> [(start: Point, normal: Point)] {
    let orientation: Double = ConvexPolygons.signedArea(polygon) < 0 ? -1 : 1
    return polygon.indices.map { index in
      let edge = polygon[(index + 1) % polygon.count] - polygon[index]
      return (polygon[index], orientation / edge.length * Point(edge.y, -edge.x))
    }
  }

  /// The finished picture.
  var image: Image {
    Image(width: width, height: height, channelCount: 3) { samples in
      for (index, color) in pixels.enumerated() {
        for channel in 0..<3 {
          samples[3 * index + channel] = UInt8(min(max(color[channel], 0), 255).rounded())
        }
      }
    }
  }

  /// The pixels that an interval touches, one more on each side for the smooth edge.
  private static func range(_ low: Double, _ high: Double, limit: Int) -> Range<Int> {
    let first = min(max(low.rounded(.down) - 1, 0), Double(limit))
    let last = min(max(high.rounded(.up) + 1, first), Double(limit))
    return Int(first)..<Int(last)
  }
}

extension SIMD2<Double> {
  fileprivate var length: Double { (self * self).sum().squareRoot() }
}
