import Media

/// The page's style and script, which SwiftPM puts into the program from the files beside this one.
enum PageResources {
  /// `page.css`, with the colors of charts in front.
  static let css = chartColors + String(decoding: PackageResources.page_css, as: UTF8.self)

  /// `page.js`
  static let javaScript = String(decoding: PackageResources.page_js, as: UTF8.self)

  /// The dark page's colors of charts, and the colors of the parts of a run's time.
  private static let chartColors = """
    :root { \(sectionColors(isDark: false)) }
    @media (prefers-color-scheme: dark) {
      :root { \(sectionColors(isDark: true)) \(LineChart.darkStyle) }
    }

    """

  private static func sectionColors(isDark: Bool) -> String {
    LineChart.colors.enumerated().map { index, color in
      "--section\(index): "
        + (isDark ? "var(--chart-\(color.hexadecimal.dropFirst()))" : color.hexadecimal) + ";"
    }.joined(separator: " ")
  }
}
