import Tensors

/// How `Image.resized` finds a new pixel from the old ones.
public enum ResizeMethod: String, CaseIterable, Sendable {
  /// The pixel under the middle of the new one: exact copies, hard edges.
  case nearest
  /// The mean of the area that the new pixel covers (Pillow's BOX).
  case area
  /// Keys' cubic with a = -0.5, widened when shrinking so that nothing aliases (Pillow's BICUBIC).
  case bicubic
}

extension ResizeMethod {
  /// How far the filter reaches on either side, in pixels of the smaller grid.
  var support: Double { self == .bicubic ? 2 : 0.5 }

  /// The filter's height at a distance from its middle.
  func weight(_ distance: Double) -> Double {
    switch self {
    case .nearest, .area:
      return distance > -0.5 && distance <= 0.5 ? 1 : 0
    case .bicubic:
      let (a, x) = (-0.5, abs(distance))
      if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
      if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
      return 0
    }
  }
}

extension Image {
  /// The image at another size.
  ///
  /// Transparent pixels do not bleed: RGBA is averaged with its alpha.
  public func resized(width: Int, height: Int, method: ResizeMethod) -> Image {
    precondition(width > 0 && height > 0, "cannot resize to \(width)x\(height)")
    return resized(
      width: width, height: height, method: method, columns: 0..<width, rows: 0..<height)
  }

  /// A part of the image at another size: the same pixels as of the whole, without the time and the
  /// memory that the rest of it would take.
  ///
  /// - Parameters:
  ///   - width: pixels in a row of the whole.
  ///   - height: rows of the whole.
  ///   - method: how new pixels are found.
  ///   - columns: the part's columns of the whole.
  ///   - rows: the part's rows of the whole.
  public func resized(
    width: Int, height: Int, method: ResizeMethod, columns: Range<Int>, rows: Range<Int>
  ) -> Image {
    precondition(
      !columns.isEmpty && columns.lowerBound >= 0 && columns.upperBound <= width && !rows.isEmpty
        && rows.lowerBound >= 0 && rows.upperBound <= height,
      "cannot take columns \(columns) and rows \(rows) of \(width)x\(height)")
    if width == self.width && height == self.height {
      let isWhole = columns.count == width && rows.count == height
      return isWhole
        ? self : nearest(width: width, height: height, columns: columns, rows: rows)
    }
    if method == .nearest {
      return nearest(width: width, height: height, columns: columns, rows: rows)
    }
    let source = channelCount == 4 ? premultiplied() : self
    let result = source.resampled(
      width: width, height: height, method: method, columns: columns, rows: rows)
    return channelCount == 4 ? result.straight() : result
  }

  /// The image resized to fit into `width` x `height` with its proportions kept, in the middle of a
  /// `background`.
  public func fitted(
    width: Int, height: Int, background: Color = .black, method: ResizeMethod = .bicubic
  ) -> Image {
    let scale = min(Double(width) / Double(self.width), Double(height) / Double(self.height))
    let image = resized(
      width: min(width, max(1, Int((Double(self.width) * scale).rounded()))),
      height: min(height, max(1, Int((Double(self.height) * scale).rounded()))), method: method)
    var result = Image(width: width, height: height, filledWith: background)
    result.draw(image, x: (width - image.width) / 2, y: (height - image.height) / 2)
    return result
  }

  private func nearest(
    width: Int, height: Int, columns: Range<Int>, rows: Range<Int>
  ) -> Image {
    let columns = columns.map {
      Int((Double($0) + 0.5) * (Double(self.width) / Double(width)))
    }
    let rows = rows.map {
      Int((Double($0) + 0.5) * (Double(self.height) / Double(height)))
    }
    return Image(width: columns.count, height: rows.count, channelCount: channelCount) { target in
      samples.withUnsafeBufferPointer { source in
        var index = 0
        for row in rows {
          for column in columns {
            let start = (row * self.width + column) * channelCount
            for channel in 0..<channelCount {
              target[index] = source[start + channel]
              index += 1
            }
          }
        }
      }
    }
  }

  /// One direction after the other, which for filters that are products gives the same image.
  private func resampled(
    width: Int, height: Int, method: ResizeMethod, columns: Range<Int>, rows: Range<Int>
  ) -> Image {
    // A direction that keeps its size and is cut has weights of 1, which change no sample.
    var result = self
    let across: ResampleWeights? =
      width == self.width && columns.count == width
      ? nil : ResampleWeights(from: self.width, to: width, method: method, range: columns)
    var down: ResampleWeights? =
      height == self.height && rows.count == height
      ? nil : ResampleWeights(from: self.height, to: height, method: method, range: rows)
    if let across {
      let needed = down?.reach ?? 0..<self.height
      result = result.resampledRows(across, rows: needed)
      if let plan = down { down?.starts = plan.starts.map { $0 - needed.lowerBound } }
    }
    if let down { result = result.resampledColumns(down) }
    return result
  }

  /// Resamples some rows.
  private func resampledRows(_ plan: ResampleWeights, rows: Range<Int>) -> Image {
    let (oldWidth, width, channelCount) = (self.width, plan.starts.count, self.channelCount)
    return Image(width: width, height: rows.count, channelCount: channelCount) { target in
      samples.withUnsafeBufferPointer { source in
        WorkerPool.shared.forEach(rows.count) { row in
          let start = (rows.lowerBound + row) * oldWidth * channelCount
          let from = UnsafeBufferPointer(
            rebasing: source[start..<start + oldWidth * channelCount])
          let to = UnsafeMutableBufferPointer(
            rebasing: target[row * width * channelCount..<(row + 1) * width * channelCount])
          plan.resampleRow(from, into: to, channelCount: channelCount)
        }
      }
    }
  }

  private func resampledColumns(_ plan: ResampleWeights) -> Image {
    let (height, rowSize) = (plan.starts.count, width * channelCount)
    return Image(width: width, height: height, channelCount: channelCount) { target in
      samples.withUnsafeBufferPointer { source in
        WorkerPool.shared.forEach(height) { row in
          plan.blendRows(
            source, rowSize: rowSize, row: row,
            into: UnsafeMutableBufferPointer(
              rebasing: target[row * rowSize..<(row + 1) * rowSize]))
        }
      }
    }
  }
}

extension ResampleWeights {
  /// Half of the last kept bit, so that dropping the fraction rounds.
  private static let half = Int32(1) << (fractionBits - 1)

  private static func sample(_ sum: Int32) -> UInt8 {
    UInt8(truncatingIfNeeded: max(0, min(255, sum >> fractionBits)))
  }

  fileprivate func resampleRow(
    _ source: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableBufferPointer<UInt8>,
    channelCount: Int
  ) {
    for index in starts.indices {
      for channel in 0..<channelCount {
        var sum = ResampleWeights.half
        var position = starts[index] * channelCount + channel
        for term in 0..<counts[index] {
          sum &+= weights[index * stride + term] &* Int32(source[position])
          position += channelCount
        }
        target[index * channelCount + channel] = ResampleWeights.sample(sum)
      }
    }
  }

  /// Row `row` of the new image; its sums run along whole rows, which makes vector loops of them.
  fileprivate func blendRows(
    _ source: UnsafeBufferPointer<UInt8>, rowSize: Int, row: Int,
    into target: UnsafeMutableBufferPointer<UInt8>
  ) {
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: rowSize) { sums in
      sums.initialize(repeating: ResampleWeights.half)
      for term in 0..<counts[row] {
        let weight = weights[row * stride + term]
        let start = (starts[row] + term) * rowSize
        for index in 0..<rowSize { sums[index] &+= weight &* Int32(source[start + index]) }
      }
      for index in 0..<rowSize { target[index] = ResampleWeights.sample(sums[index]) }
    }
  }
}

extension Image {
  /// RGBA with the colors multiplied by alpha, rounded to nearest.
  fileprivate func premultiplied() -> Image {
    var result = self
    result.withUnsafeMutableSamples { samples in
      for index in 0..<samples.count / 4 {
        let alpha = UInt32(samples[4 * index + 3])
        for channel in 0..<3 {
          let product = UInt32(samples[4 * index + channel]) * alpha
          samples[4 * index + channel] = UInt8(truncatingIfNeeded: (product + 127) / 255)
        }
      }
    }
    return result
  }

  /// The reverse of `premultiplied`; a filter's overshoot beyond alpha is cut off.
  fileprivate func straight() -> Image {
    var result = self
    result.withUnsafeMutableSamples { samples in
      for index in 0..<samples.count / 4 {
        let alpha = UInt32(samples[4 * index + 3])
        if alpha == 0 || alpha == 255 { continue }
        for channel in 0..<3 {
          let ratio = UInt32(samples[4 * index + channel]) * 255 / alpha
          samples[4 * index + channel] = UInt8(truncatingIfNeeded: min(255, ratio))
        }
      }
    }
    return result
  }
}

/// For some pixels of a resized row: which old pixels it is made of, and how much of each.
///
/// Weights are whole numbers, a sum of 1 being 2^22, and results are rounded to 8 bits after each
/// direction. That is what Pillow does, so the same images come out, bit for bit.
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
      let parts = (start..<end).map {
        method.weight((Double($0) - center + 0.5) / widening)
      }
      let sum = parts.reduce(0, +)
      starts.append(start)
      counts.append(parts.count)
      for part in parts {
        let one = Double(1 << ResampleWeights.fractionBits)
        weights.append(Int32((part / sum * one).rounded(.toNearestOrAwayFromZero)))
      }
      weights.append(contentsOf: repeatElement(0, count: stride - parts.count))
    }
  }

  /// The old pixels that any of the new ones is made of.
  var reach: Range<Int> {
    let ends = zip(starts, counts).map { $0 + $1 }
    return (starts.min() ?? 0)..<(ends.max() ?? 0)
  }
}
