/// How many pixels have which colors, in boxes of 4x4x4 colors.
struct ColorHistogram {
  static let boxCount = 1 << 18

  /// What is known of a box that has pixels.
  private struct Bin {
    var count = 0.0
    /// The mean of each component.
    var mean: (Double, Double, Double)

    func component(_ axis: Int) -> Double {
      axis == 0 ? mean.0 : axis == 1 ? mean.1 : mean.2
    }
  }

  private let bins: [Bin]

  static func box(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> Int {
    Int(red >> 2) << 12 | Int(green >> 2) << 6 | Int(blue >> 2)
  }

  /// Counts the pixels of RGB images.
  init(_ images: [Image]) {
    // The pixels of each box, and the sums of their components.
    var sums = [UInt64](repeating: 0, count: 4 * ColorHistogram.boxCount)
    for image in images {
      image.samples.withUnsafeBufferPointer { samples in
        sums.withUnsafeMutableBufferPointer { sums in
          for start in stride(from: 0, to: samples.count, by: 3) {
            let (red, green, blue) = (samples[start], samples[start + 1], samples[start + 2])
            let place = 4 * ColorHistogram.box(red, green, blue)
            sums[place] += 1
            sums[place + 1] += UInt64(red)
            sums[place + 2] += UInt64(green)
            sums[place + 3] += UInt64(blue)
          }
        }
      }
    }
    bins = stride(from: 0, to: sums.count, by: 4).compactMap { place in
      guard sums[place] > 0 else { return nil }
      let count = Double(sums[place])
      return Bin(
        count: count,
        mean: (
          Double(sums[place + 1]) / count, Double(sums[place + 2]) / count,
          Double(sums[place + 3]) / count
        ))
    }
  }

  /// The means of at most `count` groups of similar colors (median cut, at the mean of the axis of
  /// the largest variance).
  func split(into count: Int) -> [Color] {
    var groups = [Group(bins[...])]
    while groups.count < count {
      guard let widest = groups.indices.max(by: { groups[$0].spread < groups[$1].spread }),
        groups[widest].spread > 0.01  // two bins are at least a level apart; less is rounding
      else { break }
      let (low, high) = groups[widest].halves()
      groups[widest] = low
      groups.append(high)
    }
    return groups.map(\.color)
  }

  /// Bins of similar colors.
  private struct Group {
    private let bins: [Bin]
    private let mean: [Double]
    /// The axis along which the colors spread most.
    private let axis: Int
    /// The sum over all pixels of squared distances from the mean along that axis; 0 for what cannot
    /// be split.
    let spread: Double

    /// Green counts most and red least, about as with the eye.
    private static let weights = [0.5, 1, 0.75]

    init(_ bins: ArraySlice<Bin>) {
      self.bins = Array(bins)
      let total = bins.reduce(0) { $0 + $1.count }
      let mean = (0..<3).map { axis in
        bins.reduce(0) { $0 + $1.count * $1.component(axis) } / total
      }
      let spreads = (0..<3).map { axis in
        Group.weights[axis]
          * bins.reduce(0) { sum, bin in
            let distance = bin.component(axis) - mean[axis]
            return sum + bin.count * distance * distance
          }
      }
      self.mean = mean
      axis = (0..<3).max { spreads[$0] < spreads[$1] } ?? 0
      spread = bins.count > 1 ? spreads[axis] : 0
    }

    var color: Color {
      let components = mean.map { UInt8($0.rounded()) }
      return Color(red: components[0], green: components[1], blue: components[2])
    }

    /// The colors on either side of the mean; neither side is empty, because they spread.
    func halves() -> (Group, Group) {
      var bins = bins
      let middle = bins.partition { $0.component(axis) > mean[axis] }
      return (Group(bins[..<middle]), Group(bins[middle...]))
    }
  }
}
