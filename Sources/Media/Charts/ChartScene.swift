/// A rectangle of a chart.
struct ChartArea: Equatable, Sendable {
  var left: Double, top: Double, right: Double, bottom: Double
  var width: Double { right - left }
  var height: Double { bottom - top }
}

/// What a chart consists of, in drawing order: the same for SVG (`ChartSVG`) and PNG.
struct ChartScene: Sendable {
  enum Anchor: String, Sendable {
    case start, middle, end
  }

  enum Shape: Sendable {
    /// An open chain of lines; dashes are lengths drawn and left out in turn, none for a full line.
    case line([DrawingPoint], color: Color, width: Double, dashes: [Double])
    /// A filled polygon.
    case area([DrawingPoint], color: Color, opacity: Double)
    /// A filled circle.
    case dot(DrawingPoint, radius: Double, color: Color)
    /// A line of text.
    case label(Label)
  }

  struct Label: Sendable {
    var string: String
    /// Where its base line begins, is centered or ends.
    var position: DrawingPoint
    var size: Double
    var color: Color
    var anchor = Anchor.start
    var isBold = false
    /// Runs upwards instead of to the right.
    var isVertical = false
  }

  var width: Double
  var height: Double
  var background = Color.white
  /// The shapes of the frame: axes, texts, legend.
  var shapes: [Shape] = []
  /// The shapes of the data, drawn after the others and cut off at the edges of `plot`.
  var plotShapes: [Shape] = []
  var plot = ChartArea(left: 0, top: 0, right: 0, bottom: 0)
}

extension ChartScene.Label {
  fileprivate var text: Text { Text(string, size: size, isBold: isBold) }
}

extension ChartScene {
  /// The scene drawn by cairo, `pixelDensity` pixels for a unit.
  func image(pixelDensity: Double) -> Image {
    let canvas = Canvas(
      width: Int((width * pixelDensity).rounded()), height: Int((height * pixelDensity).rounded()),
      size: DrawingPoint(width, height), background: background)
    FontWarnings.report(
      for: (shapes + plotShapes).compactMap { shape in
        if case .label(let label) = shape { label.text } else { nil }
      })
    for shape in shapes { draw(shape, on: canvas, pixelDensity: pixelDensity) }
    canvas.clipped(
      to: DrawingPoint(plot.left, plot.top), size: DrawingPoint(plot.width, plot.height)
    ) {
      for shape in plotShapes { draw(shape, on: canvas, pixelDensity: pixelDensity) }
    }
    return canvas.image
  }

  private func draw(_ shape: Shape, on canvas: Canvas, pixelDensity: Double) {
    switch shape {
    case .line(let points, let color, let width, let dashes):
      canvas.stroke(
        snapped(points, width: width, pixelDensity: pixelDensity), width: width, color: color,
        dashes: dashes)
    case .area(let points, let color, let opacity):
      canvas.fill([points], color: color, opacity: opacity)
    case .dot(let center, let radius, let color):
      canvas.fillDisc(center: center, radius: radius, color: color)
    case .label(let label): draw(label, on: canvas)
    }
  }

  private func draw(_ label: Label, on canvas: Canvas) {
    let text = label.text
    let shift =
      switch label.anchor {
      case .start: 0.0
      case .middle: -text.size.x / 2
      case .end: -text.size.x
      }
    canvas.draw(
      text,
      fromBaseline: label.position
        + (label.isVertical ? DrawingPoint(0, -shift) : DrawingPoint(shift, 0)),
      color: label.color, isVertical: label.isVertical)
  }

  /// Moves level and upright lines onto whole pixels, so that the grid is crisp.
  private func snapped(
    _ points: [DrawingPoint], width: Double, pixelDensity: Double
  ) -> [DrawingPoint] {
    guard points.count == 2 else { return points }
    let offset = Int((width * pixelDensity).rounded()) % 2 == 0 ? 0 : 0.5
    func snap(_ value: Double) -> Double {
      ((value * pixelDensity - offset).rounded() + offset) / pixelDensity
    }
    if points[0].x == points[1].x { return points.map { DrawingPoint(snap($0.x), $0.y) } }
    if points[0].y == points[1].y { return points.map { DrawingPoint($0.x, snap($0.y)) } }
    return points
  }
}
