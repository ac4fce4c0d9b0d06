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

extension Tensor {
  /// Rows of the first dimension by index, repeats allowed: a table look-up.
  public func gather(_ indices: [Int]) -> Tensor {
    precondition(rank >= 1, "cannot gather from a scalar")
    let rowCount = shape[0]
    let width = shape.dropFirst().reduce(1, *)
    for index in indices {
      precondition((0..<rowCount).contains(index), "row \(index) is outside shape \(shape)")
    }
    let result = Tensor(shape: [indices.count] + shape.dropFirst()) { result in
      withUnsafeElements { source in
        for (row, index) in indices.enumerated() where width > 0 {
          (result.baseAddress! + row * width)
            .update(from: source.baseAddress! + index * width, count: width)
        }
      }
    }
    let whole = shape
    return result.recorded(from: self) { [node] upstream, accumulator in
      accumulator.accumulate(into: node, shape: whole) { sum, accumulates in
        upstream.withUnsafeElements { upstream in
          if accumulates {
            addRows(upstream.baseAddress!, at: indices, width: width, of: rowCount, to: sum)
          } else {
            sum.update(repeating: 0, count: rowCount * width)
            for (row, index) in indices.enumerated() {
              attune_add_scaled(
                width, upstream.baseAddress! + row * width, 1, sum + index * width)
            }
          }
        }
      }
    }
  }

  /// One element of each row by its index along the last dimension, which disappears.
  public func gatherAlongLast(_ indices: [Int]) -> Tensor {
    let width = size(-1)
    precondition(
      indices.count * width == count,
      "\(indices.count) indices for the rows of shape \(shape)")
    let flat = indices.enumerated().map { row, index in
      precondition((0..<width).contains(index), "index \(index) is outside shape \(shape)")
      return row * width + index
    }
    return reshaped(to: [count]).gather(flat).reshaped(to: Array(shape.dropLast()))
  }
}

/// Adds rows to a table, those of one index together first, and zero to the rows that none is for:
/// the same bits as adding a table that holds only these rows.
private func addRows(
  _ rows: UnsafePointer<Float>, at indices: [Int], width: Int, of rowCount: Int,
  to table: UnsafeMutablePointer<Float>
) {
  var places: [Int: Int] = [:]
  for index in indices where places[index] == nil { places[index] = places.count }
  let sums = TensorStorage(count: places.count * width)
  sums.elements.update(repeating: 0, count: places.count * width)
  for (row, index) in indices.enumerated() {
    guard let place = places[index] else { continue }
    attune_add_scaled(width, rows + row * width, 1, sums.elements + place * width)
  }
  Loops.overRows(rowCount, width: width) { range in
    for index in range {
      let target = table + index * width
      if let place = places[index] {
        attune_add_scaled(width, sums.elements + place * width, 1, target)
      } else {
        attune_scale_and_shift(width, target, 1, 0, target)
      }
    }
  }
}
