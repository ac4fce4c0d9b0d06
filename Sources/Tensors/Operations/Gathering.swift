import CKernels

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
