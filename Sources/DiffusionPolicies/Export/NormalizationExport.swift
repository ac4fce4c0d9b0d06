import Environments
import ONNX

extension MinMaxNormalization {
  /// What `normalize` does to each component: (value - minimum) factor / divisor - shift.
  var observationMap: (factors: [Float], divisors: [Float], shifts: [Float]) {
    let ranges = zip(minimum, maximum).map { $1 - $0 }
    // A constant is shifted to 0 and not scaled; with an offset, none counts as one.
    let isConstant = ranges.map { rangeOffset == 0 && $0 < Self.minRange }
    return (
      isConstant.map { $0 ? 1 : 2 },
      zip(ranges, isConstant).map { $1 ? 1 : $0 + rangeOffset },
      isConstant.map { $0 ? 0 : 1 }
    )
  }

  /// Observations `[B, To, D]` in [-1, 1], as `normalize` maps them.
  func normalized(_ values: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    let map = observationMap
    let minimum = graph.constant(minimum, shape: [size])
    let factors = graph.constant(map.factors, shape: [size])
    let divisors = graph.constant(map.divisors, shape: [size])
    let scaled = graph.divide(
      graph.multiply(graph.subtract(values, minimum), by: factors), by: divisors)
    return graph.subtract(scaled, graph.constant(map.shifts, shape: [size]))
  }

  /// Actions `[B, Tp, D]` in the data's own units, as `denormalize` maps them.
  func denormalized(_ values: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    let halves = graph.divide(graph.add(values, 1), by: 2)
    let ranges = graph.constant(zip(minimum, maximum).map { $1 - $0 }, shape: [size])
    return graph.add(
      graph.multiply(halves, by: ranges), graph.constant(minimum, shape: [size]))
  }
}
