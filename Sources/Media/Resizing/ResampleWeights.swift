/// For some pixels of a resized row: which old pixels it is made of, and how much of each.
///
/// Weights are whole numbers, a sum of 1 being 2^22, and results are rounded to 8 bits after each
/// direction. That is what Pillow does, so the same pictures come out, bit for bit.
struct ResampleWeights {
  static let fractionBits: Int32 = 22

  /// The first old pixel of each new one.
  var starts: [Int] = []
  /// How many old pixels each new one is made of.
  var counts: [Int] = []
  /// The weights of new pixel i begin at `i * stride`.
  var weights: [Int32] = []
  let stride: Int

  /// Plans the pixels `range` of a row of `newSize`.
  init(from oldSize: Int, to newSize: Int, method: ResizeMethod, range: Range<Int>) {
    let scale = Double(oldSize) / Double(newSize)
    let widening = max(scale, 1)
    let support = method.support * widening
    stride = Int(support.rounded(.up)) * 2 + 1
    for index in range {
      let center = (Double(index) + 0.5) * scale
      let start = max(0, Int(center - support + 0.5))
      let end = min(oldSize, Int(center + support + 0.5))
      let shares = (start..<end).map {
        method.weight((Double($0) - center + 0.5) / widening)
      }
      let sum = shares.reduce(0, +)
      starts.append(start)
      counts.append(shares.count)
      for share in shares {
        let one = Double(1 << ResampleWeights.fractionBits)
        weights.append(Int32((share / sum * one).rounded(.toNearestOrAwayFromZero)))
      }
      weights.append(contentsOf: repeatElement(0, count: stride - shares.count))
    }
  }

  /// The old pixels that any of the new ones is made of.
  var reach: Range<Int> {
    let ends = zip(starts, counts).map { $0 + $1 }
    return (starts.min() ?? 0)..<(ends.max() ?? 0)
  }
}
