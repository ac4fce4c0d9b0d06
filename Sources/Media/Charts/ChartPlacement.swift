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
