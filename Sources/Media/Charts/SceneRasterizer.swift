/// Draws a chart's scene into pixels, antialiased.
struct SceneRasterizer {
  private var image: Image
  private let density: Double
  /// The pixels that may be drawn on.
  private var clip: PixelArea

  static func draw(_ scene: ChartScene, pixelDensity: Double) -> Image {
    let width = Int((scene.width * pixelDensity).rounded())
    let height = Int((scene.height * pixelDensity).rounded())
    precondition(
      width > 0 && height > 0 && width * height <= Image.pixelCountLimit,
      "a chart of \(width)x\(height) pixels cannot be drawn")
    var rasterizer = SceneRasterizer(
      image: Image(width: width, height: height, filledWith: scene.background),
      density: pixelDensity, clip: PixelArea(x: 0..<width, y: 0..<height))
    for shape in scene.shapes { rasterizer.draw(shape) }
    rasterizer.clip = rasterizer.clip.clamped(to: scene.plot, density: pixelDensity)
    for shape in scene.plotShapes { rasterizer.draw(shape) }
    return rasterizer.image
  }

  private mutating func draw(_ shape: ChartScene.Shape) {
    switch shape {
    case .line(let points, let color, let width, let dashes):
      let chain = snapped(points.map(pixel), width: width * density)
      let chains =
        dashes.isEmpty
        ? [chain] : Dashes.cut(chain, lengths: dashes.map { $0 * density })
      stroke(chains, width: width * density, color: color)
    case .area(let points, let color, let opacity):
      var coverage = Coverage(points.map(pixel), margin: 1, clip: clip)
      coverage.fill(points.map(pixel))
      blend(coverage, color: color, opacity: opacity)
    case .dot(let center, let radius, let color):
      stroke([[pixel(center)]], width: 2 * radius * density, color: color)
    case .text(let text): draw(text)
    }
  }

  private func pixel(_ point: ChartPoint) -> ChartPoint {
    ChartPoint(x: point.x * density, y: point.y * density)
  }

  /// Moves level and upright lines onto whole pixels, so that the grid is crisp.
  private func snapped(_ points: [ChartPoint], width: Double) -> [ChartPoint] {
    guard points.count == 2 else { return points }
    let offset = Int(width.rounded()) % 2 == 0 ? 0 : 0.5
    func snap(_ value: Double) -> Double { (value - offset).rounded() + offset }
    if points[0].x == points[1].x {
      return points.map { ChartPoint(x: snap($0.x), y: $0.y) }
    }
    if points[0].y == points[1].y {
      return points.map { ChartPoint(x: $0.x, y: snap($0.y)) }
    }
    return points
  }

  private mutating func draw(_ text: ChartScene.Text) {
    let font = StrokeFont.standard
    let size = text.size * density
    let width = font.width(of: text.string, size: size)
    let shift: Double
    switch text.anchor {
    case .start: shift = 0
    case .middle: shift = -width / 2
    case .end: shift = -width
    }
    let origin = pixel(text.position)
    let strokes = font.strokes(of: text.string, size: size).map { stroke in
      stroke.map { point in
        text.isVertical
          ? ChartPoint(x: origin.x - point.y, y: origin.y - (point.x + shift))
          : ChartPoint(x: origin.x + point.x + shift, y: origin.y - point.y)
      }
    }
    let thickness = StrokeFont.thickness * (text.isBold ? 1.45 : 1)
    stroke(strokes, width: max(1, size * thickness), color: text.color)
  }

  private mutating func stroke(_ chains: [[ChartPoint]], width: Double, color: Color) {
    var coverage = Coverage(chains.joined(), margin: width / 2 + 1, clip: clip)
    for chain in chains {
      if chain.count == 1 { coverage.stroke(from: chain[0], to: chain[0], width: width) }
      for (start, end) in zip(chain, chain.dropFirst()) {
        coverage.stroke(from: start, to: end, width: width)
      }
    }
    blend(coverage, color: color, opacity: 1)
  }

  private mutating func blend(_ coverage: Coverage, color: Color, opacity: Double) {
    let (area, width) = (coverage.area, image.width)
    image.withUnsafeMutableSamples { samples in
      for y in area.y {
        for x in area.x {
          let share = coverage[x, y]
          if share <= 0 { continue }
          let alpha = UInt8((min(1, Double(share)) * opacity * 255).rounded())
          let start = (y * width + x) * 3
          samples[start] = Media.blend(color.red, over: samples[start], alpha: alpha)
          samples[start + 1] = Media.blend(color.green, over: samples[start + 1], alpha: alpha)
          samples[start + 2] = Media.blend(color.blue, over: samples[start + 2], alpha: alpha)
        }
      }
    }
  }
}
