/// A point of a chart, x to the right and y downwards unless said otherwise.
struct ChartPoint: Equatable, Sendable {
  var x: Double, y: Double
}

/// A rectangle of a chart.
struct ChartArea: Equatable, Sendable {
  var left: Double, top: Double, right: Double, bottom: Double
  var width: Double { right - left }
  var height: Double { bottom - top }
}

/// What a chart consists of, in drawing order: the same for SVG and PNG.
struct ChartScene: Sendable {
  enum Anchor: String, Sendable {
    case start, middle, end
  }

  enum Shape: Sendable {
    /// An open chain of lines; dashes are lengths drawn and left out in turn, none for a full line.
    case line([ChartPoint], color: Color, width: Double, dashes: [Double])
    /// A filled polygon.
    case area([ChartPoint], color: Color, opacity: Double)
    /// A filled circle.
    case dot(ChartPoint, radius: Double, color: Color)
    /// A line of text; its base line begins, is centered or ends at the point.
    case text(Text)
  }

  struct Text: Sendable {
    var string: String
    var position: ChartPoint
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
