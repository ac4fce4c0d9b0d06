import Glibc

/// Letters made of lines, for text of any size and direction in charts.
struct StrokeFont: Sendable {
  static let standard = StrokeFont()

  /// Units of a glyph's drawing in the font size.
  private static let unitsPerSize = 20.0
  /// The height of capitals, as a part of the font size.
  static let capitalHeight = 0.7
  /// The thickness of strokes, as a part of the font size.
  static let thickness = 0.085

  struct Glyph {
    var advance: Double
    var strokes: [[ChartPoint]]
  }

  private let glyphs: [Character: Glyph]
  private let unknown: Glyph

  private init() {
    glyphs = StrokeFont.drawing.mapValues(StrokeFont.parse)
    unknown = StrokeFont.parse(StrokeFont.unknownDrawing)
  }

  func glyph(_ character: Character) -> Glyph { glyphs[character] ?? unknown }

  /// The width of a line of text at a font size.
  func width(of text: String, size: Double) -> Double {
    text.reduce(0) { $0 + glyph($1).advance } * size / StrokeFont.unitsPerSize
  }

  /// The strokes of a line of text that begins at the origin of a plane with y upwards.
  func strokes(of text: String, size: Double) -> [[ChartPoint]] {
    let unit = size / StrokeFont.unitsPerSize
    var strokes: [[ChartPoint]] = []
    var left = 0.0
    for character in text {
      let glyph = glyph(character)
      strokes += glyph.strokes.map { stroke in
        stroke.map { ChartPoint(x: (left + $0.x) * unit, y: $0.y * unit) }
      }
      left += glyph.advance
    }
    return strokes
  }

  private static func parse(_ drawing: String) -> Glyph {
    let parts = drawing.split(separator: "/")
    let strokes = parts.dropFirst().map { part in
      part.split(separator: " ").flatMap { element -> [ChartPoint] in
        let isArc = element.hasPrefix("@")
        let numbers = (isArc ? element.dropFirst() : element).split(separator: ",").map(number)
        precondition(numbers.count == (isArc ? 6 : 2), "\(element) is no point and no arc")
        return isArc ? arc(numbers) : [ChartPoint(x: numbers[0], y: numbers[1])]
      }
    }
    return Glyph(advance: number(parts[0].filter { $0 != " " }), strokes: strokes)
  }

  private static func number(_ text: some StringProtocol) -> Double {
    guard let number = Double(text) else { preconditionFailure("'\(text)' is no number") }
    return number
  }

  /// Points along an ellipse's arc: center, radii, first and last angle in degrees.
  private static func arc(_ numbers: [Double]) -> [ChartPoint] {
    let (from, to) = (numbers[4] * .pi / 180, numbers[5] * .pi / 180)
    let count = max(4, Int((abs(to - from) * 6).rounded(.up)))
    return (0...count).map { index in
      let angle = from + (to - from) * Double(index) / Double(count)
      return ChartPoint(
        x: numbers[0] + numbers[2] * cos(angle), y: numbers[1] + numbers[3] * sin(angle))
    }
  }
}
