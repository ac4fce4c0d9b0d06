import Media

/// The image of a Push-T state, in the colors of the benchmark.
enum PushTDrawing {
  typealias Point = SIMD2<Double>

  private static let lightGreen = Color(0x90EE90)
  private static let lightGray = Color(0xD3D3D3)
  private static let royalBlue = Color(0x4169E1)
  private static let slateGray = Color(0x778899)

  static func image(width: Int, height: Int, agent: Point, block: PushTGeometry.Pose) -> Image {
    let canvas = Canvas(
      width: width, height: height, size: Point(repeating: PushTGeometry.planeSize))
    canvas.fill(PushTGeometry.goalParts, color: lightGreen)
    for (start, end) in PushTGeometry.walls {
      canvas.stroke([start, end], width: 2 * PushTGeometry.wallRadius, color: lightGray)
    }
    canvas.fillDisc(center: agent, radius: PushTGeometry.agentRadius, color: royalBlue)
    canvas.fillDisc(center: agent, radius: PushTGeometry.agentRadius - 4, color: light(royalBlue))
    for part in [PushTGeometry.bar, PushTGeometry.stem] {
      let vertices = part.map { block($0) }
      canvas.fill([vertices], color: light(slateGray))
      canvas.stroke(vertices, width: 4, color: slateGray, isClosed: true)
    }
    return canvas.image
  }

  /// A fifth brighter, as pymunk fills shapes.
  private static func light(_ color: Color) -> Color {
    func brighter(_ component: UInt8) -> UInt8 {
      UInt8(min(1.2 * Double(component), 255).rounded())
    }
    return Color(
      red: brighter(color.red), green: brighter(color.green), blue: brighter(color.blue))
  }
}
