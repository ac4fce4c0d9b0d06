import Media

/// The picture of a Push-T state, in the colours of the benchmark.
enum PushTDrawing {
  typealias Point = SIMD2<Double>

  private static let white = Canvas.Color(255, 255, 255)
  private static let lightGreen = Canvas.Color(144, 238, 144)
  private static let lightGray = Canvas.Color(211, 211, 211)
  private static let royalBlue = Canvas.Color(65, 105, 225)
  private static let slateGray = Canvas.Color(119, 136, 153)

  static func image(width: Int, height: Int, agent: Point, block: PushTGeometry.Pose) -> Image {
    var canvas = Canvas(
      width: width, height: height, planeSize: PushTGeometry.planeSize, background: white)
    canvas.paintPolygons(lightGreen, PushTGeometry.goalParts)
    for (start, end) in PushTGeometry.walls {
      canvas.paintLine(lightGray, from: start, to: end, radius: PushTGeometry.wallRadius)
    }
    canvas.paintDisc(royalBlue, center: agent, radius: PushTGeometry.agentRadius)
    canvas.paintDisc(light(royalBlue), center: agent, radius: PushTGeometry.agentRadius - 4)
    for part in [PushTGeometry.bar, PushTGeometry.stem] {
      let vertices = part.map { block($0) }
      canvas.paintPolygons(light(slateGray), [vertices])
      for (index, vertex) in vertices.enumerated() {
        let next = vertices[(index + 1) % vertices.count]
        canvas.paintLine(slateGray, from: vertex, to: next, radius: 2)
      }
    }
    return canvas.image
  }

  private static func light(_ color: Canvas.Color) -> Canvas.Color {
    pointwiseMin(1.2 * color, Canvas.Color(repeating: 255))
  }
}
