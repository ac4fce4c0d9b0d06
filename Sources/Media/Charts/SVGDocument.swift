/// A chart's scene as SVG.
struct SVGDocument {
  private(set) var text = ""
  /// Whether colors are CSS variables, with the chart's own colors where a page does not set them.
  private let isThemed: Bool

  init(_ scene: ChartScene, isThemed: Bool = false) {
    self.isThemed = isThemed
    let (width, height) = (SVGDocument.number(scene.width), SVGDocument.number(scene.height))
    let plot = scene.plot
    text = """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" \
      viewBox="0 0 \(width) \(height)" font-family="Helvetica, Arial, sans-serif">
      <rect width="\(width)" height="\(height)" fill="\(paint(scene.background))"/>

      """
    for shape in scene.shapes { add(shape) }
    // A nested viewport cuts its content off without an id, which two charts on a page would share.
    let (left, top) = (SVGDocument.number(plot.left), SVGDocument.number(plot.top))
    let size = (SVGDocument.number(plot.width), SVGDocument.number(plot.height))
    text += """
      <svg x="\(left)" y="\(top)" width="\(size.0)" height="\(size.1)" \
      viewBox="\(left) \(top) \(size.0) \(size.1)">

      """
    for shape in scene.plotShapes { add(shape) }
    text += "</svg>\n</svg>\n"
  }

  private mutating func add(_ shape: ChartScene.Shape) {
    switch shape {
    case .line(let points, let color, let width, let dashes):
      let pattern = dashes.map(SVGDocument.number).joined(separator: " ")
      let dash = dashes.isEmpty ? "" : " stroke-dasharray=\"\(pattern)\""
      text += """
        <polyline points="\(SVGDocument.list(points))" fill="none" stroke="\(paint(color))" \
        stroke-width="\(SVGDocument.number(width))" stroke-linejoin="round" \
        stroke-linecap="round"\(dash)/>

        """
    case .area(let points, let color, let opacity):
      text += """
        <polygon points="\(SVGDocument.list(points))" fill="\(paint(color))" \
        fill-opacity="\(SVGDocument.number(opacity))"/>

        """
    case .dot(let center, let radius, let color):
      text += """
        <circle cx="\(SVGDocument.number(center.x))" cy="\(SVGDocument.number(center.y))" \
        r="\(SVGDocument.number(radius))" fill="\(paint(color))"/>

        """
    case .text(let line): add(line)
    }
  }

  private mutating func add(_ line: ChartScene.Text) {
    let (x, y) = (SVGDocument.number(line.position.x), SVGDocument.number(line.position.y))
    let turn = line.isVertical ? " transform=\"rotate(-90 \(x) \(y))\"" : ""
    let weight = line.isBold ? " font-weight=\"bold\"" : ""
    text += """
      <text x="\(x)" y="\(y)" font-size="\(SVGDocument.number(line.size))" \
      fill="\(paint(line.color))" text-anchor="\(line.anchor.rawValue)"\(weight)\(turn)>\
      \(SVGDocument.escaped(line.string))</text>

      """
  }

  private func paint(_ color: Color) -> String {
    isThemed ? "var(\(SVGDocument.variable(color)), \(color.hexadecimal))" : color.hexadecimal
  }

  /// The CSS variable that stands for a color.
  static func variable(_ color: Color) -> String { "--chart-\(color.hexadecimal.dropFirst())" }

  private static func list(_ points: [ChartPoint]) -> String {
    points.map { "\(number($0.x)),\(number($0.y))" }.joined(separator: " ")
  }

  /// Hundredths are finer than any screen.
  private static func number(_ value: Double) -> String {
    var text = TickLabels.fixed(value, digitCount: 2)
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }

  /// The text with markup escaped, and without the control characters that XML forbids.
  private static func escaped(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { result, scalar in
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\u{0}"..<" ", "\u{FFFE}", "\u{FFFF}": result += " "
      default: result.unicodeScalars.append(scalar)
      }
    }
  }
}
