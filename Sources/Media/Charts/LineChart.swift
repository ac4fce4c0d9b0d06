/// Curves over a common horizontal axis, drawn as SVG or PNG.
public struct LineChart: Sendable {
  /// A curve.
  public struct Series: Sendable {
    /// The text in the legend.
    public var name: String
    /// Where the points are; points that are not finite are gaps.
    public var x: [Double], y: [Double]
    /// Half the height of the shaded band around each point, such as a standard deviation; empty
    /// for no band.
    public var spread: [Double]
    /// The color; one from `LineChart.colors` if nil.
    public var color: Color?

    /// Makes a curve from points in the order of x.
    public init(
      name: String, x: [Double], y: [Double], spread: [Double] = [], color: Color? = nil
    ) {
      precondition(
        x.count == y.count, "series \(name) has \(x.count) values of x and \(y.count) of y")
      precondition(
        spread.isEmpty || spread.count == y.count,
        "series \(name) has \(y.count) points and \(spread.count) spreads")
      self.name = name
      self.x = x
      self.y = y
      self.spread = spread
      self.color = color
    }
  }

  /// How an axis maps values to places.
  public enum Scale: Sendable {
    /// Equal differences are equally far apart.
    case linear
    /// Equal ratios are equally far apart; values that are not positive are gaps.
    case logarithmic
  }

  /// The curves; earlier ones are drawn first.
  public var series: [Series]
  /// The line above the chart.
  public var title: String?
  /// The text below the horizontal axis.
  public var xLabel: String?
  /// The text beside the vertical axis.
  public var yLabel: String?
  /// The horizontal axis.
  public var xScale: Scale
  /// The vertical axis.
  public var yScale: Scale
  /// What the horizontal axis shows; all of the data if nil (or if not positive on a logarithmic
  /// axis).
  public var xRange: ClosedRange<Double>?
  /// What the vertical axis shows; all of the data if nil (or if not positive on a logarithmic
  /// axis).
  public var yRange: ClosedRange<Double>?

  /// Makes a chart.
  public init(
    _ series: [Series], title: String? = nil, xLabel: String? = nil, yLabel: String? = nil,
    xScale: Scale = .linear, yScale: Scale = .linear,
    xRange: ClosedRange<Double>? = nil, yRange: ClosedRange<Double>? = nil
  ) {
    self.series = series
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.xScale = xScale
    self.yScale = yScale
    self.xRange = xRange
    self.yRange = yRange
  }

  /// Colors for the curves that have none: readable on white and apart for the color-blind.
  ///
  /// They are taken in turn; the ninth curve is the first one dashed.
  public static let colors = [
    Color(0x0F6FC6), Color(0xD9570B), Color(0x0B8F6A), Color(0xB0479A),
    Color(0xC99A00), Color(0x37A5D8), Color(0x7A4B26), Color(0x5B6472),
  ]

  /// The chart as an SVG document; sizes are in its units, CSS pixels.
  ///
  /// - Parameters:
  ///   - width: the width.
  ///   - height: the height.
  ///   - isThemed: whether colors are CSS variables that a page may set, as by `darkStyle`.
  public func svg(width: Double = 720, height: Double = 440, isThemed: Bool = false) -> String {
    ChartSVG(scene(width: width, height: height), isThemed: isThemed).text
  }

  /// The chart as an RGB image of `width * pixelDensity` by `height * pixelDensity` pixels.
  public func image(width: Double = 720, height: Double = 440, pixelDensity: Double = 2) -> Image {
    scene(width: width, height: height).image(pixelDensity: pixelDensity)
  }

  /// Writes the chart as SVG.
  ///
  /// - Throws: `ImageFileError`.
  public func writeSVG(
    to path: String, width: Double = 720, height: Double = 440
  ) throws(ImageFileError) {
    try WholeFile.write(Array(svg(width: width, height: height).utf8), to: path)
  }

  /// Writes the chart as PNG.
  ///
  /// - Throws: `ImageFileError`.
  public func writePNG(
    to path: String, width: Double = 720, height: Double = 440, pixelDensity: Double = 2
  ) throws(ImageFileError) {
    try image(width: width, height: height, pixelDensity: pixelDensity).writePNG(to: path)
  }

  func scene(width: Double, height: Double) -> ChartScene {
    precondition(
      width >= 160 && height >= 120,
      "a chart of \(width)x\(height) has no room; use 160x120 or more")
    return ChartLayout(self, width: width, height: height).scene
  }
}

/// Where a chart's data lies in its drawing, for programs that answer to a pointer.
public struct ChartPlacement: Sendable, Equatable {
  /// The edges of the plot, in the drawing's units from its upper left corner.
  public let left: Double, top: Double, right: Double, bottom: Double
  /// The values at the left and right edges.
  public let xRange: ClosedRange<Double>
  /// The values at the lower and upper edges.
  public let yRange: ClosedRange<Double>
}

extension LineChart {
  /// Where the data of `svg(width:height:isThemed:)` of the same size lies.
  public func placement(width: Double = 720, height: Double = 440) -> ChartPlacement {
    ChartLayout(self, width: width, height: height).placement
  }
}
