/// A chart's scene as SVG.
///
/// Not by cairo's SVG surface: that draws each letter as a shape, which can neither be searched nor
/// take a page's font, and writes colors as numbers where a page needs CSS variables.
struct ChartSVG {
  private(set) var text = ""
  /// The fonts that widths are measured in, and others about as wide.
  private static let fontFamily = "'DejaVu Sans', Verdana, Helvetica, Arial, sans-serif"
  /// Whether colors are CSS variables, with the chart's own colors where a page does not set them.
  private let isThemed: Bool

  init(_ scene: ChartScene, isThemed: Bool = false) {
    self.isThemed = isThemed
    let (width, height) = (ChartSVG.number(scene.width), ChartSVG.number(scene.height))
    let plot = scene.plot
    text = """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" \
      viewBox="0 0 \(width) \(height)" font-family="\(ChartSVG.fontFamily)">
      <rect width="\(width)" height="\(height)" fill="\(paint(scene.background))"/>

      """
    for shape in scene.shapes { add(shape) }
    // A nested viewport cuts its content off without an id, which two charts on a page would share.
    let (left, top) = (ChartSVG.number(plot.left), ChartSVG.number(plot.top))
    let size = (ChartSVG.number(plot.width), ChartSVG.number(plot.height))
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
      let pattern = dashes.map(ChartSVG.number).joined(separator: " ")
      let dash = dashes.isEmpty ? "" : " stroke-dasharray=\"\(pattern)\""
      text += """
        <polyline points="\(ChartSVG.list(points))" fill="none" stroke="\(paint(color))" \
        stroke-width="\(ChartSVG.number(width))" stroke-linejoin="round" \
        stroke-linecap="round"\(dash)/>

        """
    case .area(let points, let color, let opacity):
      text += """
        <polygon points="\(ChartSVG.list(points))" fill="\(paint(color))" \
        fill-opacity="\(ChartSVG.number(opacity))"/>

        """
    case .dot(let center, let radius, let color):
      text += """
        <circle cx="\(ChartSVG.number(center.x))" cy="\(ChartSVG.number(center.y))" \
        r="\(ChartSVG.number(radius))" fill="\(paint(color))"/>

        """
    case .label(let label): add(label)
    }
  }

  private mutating func add(_ label: ChartScene.Label) {
    let (x, y) = (ChartSVG.number(label.position.x), ChartSVG.number(label.position.y))
    let turn = label.isVertical ? " transform=\"rotate(-90 \(x) \(y))\"" : ""
    let weight = label.isBold ? " font-weight=\"bold\"" : ""
    text += """
      <text x="\(x)" y="\(y)" font-size="\(ChartSVG.number(label.size))" \
      fill="\(paint(label.color))" text-anchor="\(label.anchor.rawValue)"\(weight)\(turn)>\
      \(ChartSVG.escaped(label.string))</text>

      """
  }

  private func paint(_ color: Color) -> String {
    isThemed ? "var(\(ChartSVG.variable(color)), \(color.hexadecimal))" : color.hexadecimal
  }

  /// The CSS variable that stands for a color.
  static func variable(_ color: Color) -> String { "--chart-\(color.hexadecimal.dropFirst())" }

  private static func list(_ points: [DrawingPoint]) -> String {
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

extension LineChart {
  /// The colors of a chart on a dark page, as declarations of the CSS variables that
  /// `svg(width:height:isThemed:)` refers to.
  ///
  /// A page puts it in a rule: `@media (prefers-color-scheme: dark) { :root { ... } }`.
  public static var darkStyle: String {
    darkColors.map { "\(ChartSVG.variable($0.light)): \($0.dark.hexadecimal);" }
      .joined(separator: " ")
  }

  static let darkColors: [(light: Color, dark: Color)] =
    [
      (.white, Color(0x171C24)),
      (ChartLayout.titleColor, Color(0xF3F4F6)), (ChartLayout.textColor, Color(0xA9B2C0)),
      (ChartLegend.textColor, Color(0xD1D5DB)), (ChartLayout.axisColor, Color(0x5E6877)),
      (ChartLayout.gridColor, Color(0x2B3340)), (ChartLayout.fineGridColor, Color(0x212832)),
    ]
    + zip(
      colors,
      [
        0x5CB0FF, 0xFF9A57, 0x3FCFA4, 0xE58AD0, 0xEBC04A, 0x7FD3FA, 0xC99268, 0xA7B1BF,
      ].map(Color.init(_:))
    ).map { ($0, $1) }
}
