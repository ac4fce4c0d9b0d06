import Files
import Foundation
import Media

/// What LeRobot normalizes by: statistics of a feature's components over the frames of an episode, or
/// of several.
struct LeRobotStatistics: Equatable {
  /// The names of the quantiles, and the fractions of frames below them.
  static let quantiles = [
    (name: "q01", fraction: 0.01), (name: "q10", fraction: 0.1), (name: "q50", fraction: 0.5),
    (name: "q90", fraction: 0.9), (name: "q99", fraction: 0.99),
  ]

  /// Frames.
  private(set) var count: Int
  /// By name, `min` and so on, for each component.
  private(set) var values: [String: [Double]] = [:]

  init(count: Int, values: [String: [Double]]) { (self.count, self.values) = (count, values) }

  /// Of the frames of one episode.
  ///
  /// - Parameter tensor: `[T] + shape`, with a frame at least.
  init(_ tensor: StoredTensor) {
    count = tensor.shape[0]
    let size = tensor.count / count
    let elements = tensor.doubles
    for component in 0..<size {
      let column = stride(from: component, to: elements.count, by: size).map { elements[$0] }
      let mean = column.reduce(0, +) / Double(count)
      let variance = column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
      // Frames without a number come last in this order, where they hide no other.
      let sorted = column.sorted { $0 < $1 || ($1.isNaN && !$0.isNaN) }
      add("mean", mean)
      add("std", variance.squareRoot())
      add("min", sorted[0])
      add("max", sorted[count - 1])
      for quantile in LeRobotStatistics.quantiles {
        add(quantile.name, LeRobotStatistics.quantile(quantile.fraction, of: sorted))
      }
    }
  }

  /// Of the images of one episode: of each channel over all pixels of all images, from 0 to 1. LeRobot
  /// looks at some of the pixels; these are all of them.
  ///
  /// - Parameter images: of one size, one at least.
  init(images: [Image]) {
    count = images.count
    let channelCount = images[0].channelCount
    for channel in 0..<channelCount {
      // How many samples have each value.
      var counts = [Int](repeating: 0, count: 256)
      for image in images {
        image.samples.withUnsafeBufferPointer { samples in
          for index in stride(from: channel, to: samples.count, by: channelCount) {
            counts[Int(samples[index])] += 1
          }
        }
      }
      let total = counts.reduce(0, +)
      func sum(_ value: (Double) -> Double) -> Double {
        counts.enumerated().reduce(0) { $0 + Double($1.element) * value(Double($1.offset)) }
      }
      let mean = sum { $0 } / Double(total)
      let variance = sum { ($0 - mean) * ($0 - mean) } / Double(total)
      add("mean", mean / 255)
      add("std", variance.squareRoot() / 255)
      add("min", Double(Self.sample(0, of: counts)) / 255)
      add("max", Double(Self.sample(total - 1, of: counts)) / 255)
      for quantile in LeRobotStatistics.quantiles {
        let place = quantile.fraction * Double(total - 1)
        let low = Double(Self.sample(Int(place), of: counts))
        let high = Double(Self.sample(min(Int(place) + 1, total - 1), of: counts))
        add(quantile.name, (low + (place - place.rounded(.down)) * (high - low)) / 255)
      }
    }
  }

  /// The value of a sample in the order of values.
  private static func sample(_ place: Int, of counts: [Int]) -> Int {
    var before = 0
    for (value, count) in counts.enumerated() {
      before += count
      if place < before { return value }
    }
    return counts.count - 1
  }

  private mutating func add(_ name: String, _ value: Double) {
    values[name, default: []].append(value)
  }

  /// Interpolated between frames, as NumPy does.
  private static func quantile(_ fraction: Double, of sorted: [Double]) -> Double {
    let place = fraction * Double(sorted.count - 1)
    let low = Int(place)
    let high = min(low + 1, sorted.count - 1)
    return sorted[low] + (place - Double(low)) * (sorted[high] - sorted[low])
  }

  /// Joins those of other frames as LeRobot does: quantiles become their mean, weighted by frames.
  mutating func merge(_ other: LeRobotStatistics) {
    let (own, added) = (Double(count), Double(other.count))
    let old = values
    let total = own + added
    func mean(_ statistics: [String: [Double]], _ name: String, _ component: Int) -> Double {
      statistics[name].flatMap { $0.indices.contains(component) ? $0[component] : nil } ?? 0
    }
    func weighted(_ name: String, _ component: Int) -> Double {
      (own * mean(old, name, component) + added * mean(other.values, name, component)) / total
    }
    for (name, numbers) in old {
      // What a damaged file has for some components only is left as it is.
      guard let others = other.values[name], others.count == numbers.count else { continue }
      for component in numbers.indices {
        let (a, b) = (numbers[component], others[component])
        let merged: Double
        switch name {
        case "min": merged = min(a, b)
        case "max": merged = max(a, b)
        case "std":
          let center = weighted("mean", component)
          let (shift, otherShift) = (
            mean(old, "mean", component) - center, mean(other.values, "mean", component) - center
          )
          let variance =
            (own * (a * a + shift * shift) + added * (b * b + otherShift * otherShift))
          merged = (variance / total).squareRoot()
        default: merged = weighted(name, component)
        }
        values[name]?[component] = merged
      }
    }
    count += other.count
  }

  /// As `meta/stats.json` has them, in the shape of the feature.
  func json(shape: [Int]) -> JSONValue {
    var members: [String: JSONValue] = ["count": [.number(Double(count))]]
    for (name, numbers) in values { members[name] = LeRobotStatistics.nested(numbers[...], shape) }
    return .object(members)
  }

  private static func nested(_ numbers: ArraySlice<Double>, _ shape: [Int]) -> JSONValue {
    guard let size = shape.first else { return .number(numbers.first ?? 0) }
    let step = numbers.count / max(size, 1)
    return .array(
      (0..<size).map { index in
        let start = numbers.startIndex + index * step
        return nested(numbers[start..<(start + step)], Array(shape.dropFirst()))
      })
  }
}
