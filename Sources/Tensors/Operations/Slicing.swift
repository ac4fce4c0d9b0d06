import CKernels

extension Tensor {
  /// The part of a dimension in `range`. Along the first dimension it shares this tensor's memory.
  public func slice(_ range: Range<Int>, along dimension: Int = 0) -> Tensor {
    let index = Shapes.index(dimension, rank: rank)
    precondition(
      range.lowerBound >= 0 && range.upperBound <= shape[index],
      "slice \(range) is outside dimension \(index) of shape \(shape)")
    var newShape = shape
    newShape[index] = range.count
    let inner = shape[(index + 1)...].reduce(1, *)
    let blocks = SliceBlocks(
      count: shape[..<index].reduce(1, *), stride: shape[index] * inner,
      range: range.lowerBound * inner..<range.upperBound * inner)
    let result: Tensor
    if blocks.count == 1 {
      result = Tensor(
        shape: newShape, storage: storage, offset: offset + blocks.range.lowerBound)
    } else {
      result = Tensor(shape: newShape) { result in
        withUnsafeElements { blocks.copy(from: $0.baseAddress!, to: result.baseAddress!) }
      }
    }
    let whole = shape
    return result.recorded(from: self) { [node] upstream, accumulator in
      accumulator.accumulate(into: node, shape: whole) { sum, accumulates in
        upstream.withUnsafeElements { upstream in
          if accumulates {
            blocks.add(upstream.baseAddress!, to: sum)
          } else {
            blocks.put(upstream.baseAddress!, into: sum)
          }
        }
      }
    }
  }

  /// One index of the first dimension, which disappears.
  public subscript(index: Int) -> Tensor {
    slice(index..<(index + 1)).reshaped(to: Array(shape.dropFirst()))
  }
}

/// Where a slice lies in the elements of its whole: one block in each run of `stride` elements.
private struct SliceBlocks: Sendable {
  var count: Int
  var stride: Int
  /// The block in the first run.
  var range: Range<Int>

  /// Copies the blocks of a whole, one after the other.
  func copy(from whole: UnsafePointer<Float>, to slice: UnsafeMutablePointer<Float>) {
    copyBlocks(
      count, blockSize: range.count, from: whole + range.lowerBound, sourceStride: stride,
      to: slice, targetStride: range.count)
  }

  /// Makes a whole that is zero outside of the slice.
  func put(_ slice: UnsafePointer<Float>, into whole: UnsafeMutablePointer<Float>) {
    Loops.overRows(count, width: stride) { runs in
      for run in runs {
        let first = whole + run * stride
        first.update(repeating: 0, count: range.lowerBound)
        (first + range.lowerBound).update(
          from: slice + run * range.count, count: range.count)
        (first + range.upperBound).update(repeating: 0, count: stride - range.upperBound)
      }
    }
  }

  /// Adds the slice to a whole, and zero to the rest: that turns -0 into 0, as adding a whole that
  /// is zero outside of the slice does.
  func add(_ slice: UnsafePointer<Float>, to whole: UnsafeMutablePointer<Float>) {
    Loops.overRows(count, width: stride) { runs in
      for run in runs {
        let first = whole + run * stride
        attune_scale_and_shift(range.lowerBound, first, 1, 0, first)
        attune_add_scaled(
          range.count, slice + run * range.count, 1, first + range.lowerBound)
        let end = first + range.upperBound
        attune_scale_and_shift(stride - range.upperBound, end, 1, 0, end)
      }
    }
  }
}
