import CKernels

extension Tensor {
  /// Repeats every pixel of `[B, H, W, C]` `factor` times in both directions.
  public func upsampledNearest(by factor: Int) -> Tensor {
    precondition(
      rank == 4 && factor > 0, "upsampling by \(factor) needs [B, H, W, C], not \(shape)")
    let (batch, height, width, channels) = (shape[0], shape[1], shape[2], shape[3])
    let result = Tensor(shape: [batch, height * factor, width * factor, channels]) { result in
      withUnsafeElements { source in
        guard !result.isEmpty else { return }
        Loops.overRows(batch * height, width: width * factor * factor * channels) { rows in
          for row in rows {
            let first = result.baseAddress! + row * width * factor * factor * channels
            for column in 0..<(width * factor) {
              (first + column * channels).update(
                from: source.baseAddress! + (row * width + column / factor) * channels,
                count: channels)
            }
            for copy in 1..<max(factor, 1) {
              (first + copy * width * factor * channels).update(
                from: first, count: width * factor * channels)
            }
          }
        }
      }
    }
    return result.recorded(from: self) { [node] upstream, accumulator in
      accumulator.add(
        upstream.reshaped(to: [batch * height, factor, width, factor, channels])
          .sum(along: 3).sum(along: 1).reshaped(to: [batch, height, width, channels]),
        to: node)
    }
  }
}

extension Tensor {
  /// Moves every element towards that of `other`: self += (other - self) weight. Not recorded.
  public mutating func interpolate(towards other: Tensor, weight: Float) {
    precondition(
      shape == other.shape, "cannot interpolate shape \(shape) towards \(other.shape)")
    withUnsafeMutableElements { mine in
      other.withUnsafeElements { other in
        Loops.overElements(mine.count) { range in
          let first = range.lowerBound
          attune_interpolate(
            range.count, other.baseAddress! + first, weight, mine.baseAddress! + first)
        }
      }
    }
  }
}
