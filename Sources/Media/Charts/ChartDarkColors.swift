extension LineChart {
  /// The colors of a chart on a dark page, as declarations of the CSS variables that
  /// `svg(width:height:isThemed:)` refers to.
  ///
  /// A page puts it in a rule: `@media (prefers-color-scheme: dark) { :root { ... } }`.
  public static var darkStyle: String {
    darkColors.map { "\(SVGDocument.variable($0.light)): \($0.dark.hexadecimal);" }
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
