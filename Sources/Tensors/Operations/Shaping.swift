extension Tensor {
  /// The same elements in another shape; one size may be -1, which is then worked out.
  public func reshaped(to newShape: [Int]) -> Tensor {
    var shape = newShape
    if let open = shape.firstIndex(of: -1) {
      let known = shape.enumerated().reduce(1) { $1.offset == open ? $0 : $0 * $1.element }
      precondition(
        known > 0 && count % known == 0, "cannot reshape \(self.shape) to \(newShape)")
      shape[open] = count / known
    }
    precondition(
      Shapes.elementCount(shape) == count, "cannot reshape \(self.shape) to \(newShape)")
    if shape == self.shape { return self }
    let original = self.shape
    return Tensor(shape: shape, storage: storage, offset: offset)
      .recorded(from: self) { [node] upstream, accumulator in
        accumulator.add(upstream.reshaped(to: original), to: node)
      }
  }

  /// All dimensions from `first` on merged into one.
  public func flattened(from first: Int = 0) -> Tensor {
    reshaped(to: Array(shape[..<first]) + [shape[first...].reduce(1, *)])
  }

  /// Adds a dimension of size 1 at `dimension`.
  public func expandingDimension(at dimension: Int) -> Tensor {
    var shape = self.shape
    shape.insert(1, at: dimension < 0 ? dimension + rank + 1 : dimension)
    return reshaped(to: shape)
  }

  /// Reorders dimensions: dimension `i` of the result is dimension `order[i]` of this tensor.
  public func transposed(_ order: [Int]) -> Tensor {
    precondition(
      order.sorted() == Array(0..<rank), "\(order) is not an order of \(rank) dimensions")
    if order == Array(0..<rank) { return self }
    let strides = Shapes.strides(shape)
    let newShape = order.map { shape[$0] }
    let newStrides = order.map { strides[$0] }
    let result = Tensor(shape: newShape) { result in
      withUnsafeElements { source in
        guard !result.isEmpty else { return }
        let innerSize = newShape[rank - 1]
        let innerStride = newStrides[rank - 1]
        let rows = result.count / innerSize
        Loops.overRows(rows, width: innerSize) { range in
          for row in range {
            var remaining = row
            var start = 0
            for index in stride(from: rank - 2, through: 0, by: -1) {
              start += remaining % newShape[index] * newStrides[index]
              remaining /= newShape[index]
            }
            let target = result.baseAddress! + row * innerSize
            let origin = source.baseAddress! + start
            if innerStride == 1 {
              target.update(from: origin, count: innerSize)
            } else {
              for index in 0..<innerSize { target[index] = origin[index * innerStride] }
            }
          }
        }
      }
    }
    var inverse = [Int](repeating: 0, count: rank)
    for (index, source) in order.enumerated() { inverse[source] = index }
    return result.recorded(from: self) { [node, inverse] upstream, accumulator in
      accumulator.add(upstream.transposed(inverse), to: node)
    }
  }

  /// Swaps the last two dimensions.
  public func transposed() -> Tensor {
    precondition(rank >= 2, "a tensor of shape \(shape) cannot be transposed")
    return transposed(Array(0..<(rank - 2)) + [rank - 1, rank - 2])
  }

  /// The part of a dimension in `range`. Along the first dimension it shares this tensor's memory.
  public func slice(_ range: Range<Int>, along dimension: Int = 0) -> Tensor {
    let index = Shapes.index(dimension, rank: rank)
    precondition(
      range.lowerBound >= 0 && range.upperBound <= shape[index],
      "slice \(range) is outside dimension \(index) of shape \(shape)")
    var newShape = shape
    newShape[index] = range.count
    let outer = shape[..<index].reduce(1, *)
    let inner = shape[(index + 1)...].reduce(1, *)
    let size = shape[index]
    let result: Tensor
    if outer == 1 {
      result = Tensor(
        shape: newShape, storage: storage, offset: offset + range.lowerBound * inner)
    } else {
      result = Tensor(shape: newShape) { result in
        withUnsafeElements { source in
          copyBlocks(
            outer, blockSize: range.count * inner,
            from: source.baseAddress! + range.lowerBound * inner, sourceStride: size * inner,
            to: result.baseAddress!, targetStride: range.count * inner)
        }
      }
    }
    let whole = shape
    return result.recorded(from: self) { [node] upstream, accumulator in
      var gradient = Tensor.zeros(whole)
      gradient.withUnsafeMutableElements { gradient in
        upstream.withUnsafeElements { upstream in
          guard !upstream.isEmpty else { return }
          copyBlocks(
            outer, blockSize: range.count * inner, from: upstream.baseAddress!,
            sourceStride: range.count * inner,
            to: gradient.baseAddress! + range.lowerBound * inner, targetStride: size * inner)
        }
      }
      accumulator.add(gradient, to: node)
    }
  }

  /// One index of the first dimension, which disappears.
  public subscript(index: Int) -> Tensor {
    slice(index..<(index + 1)).reshaped(to: Array(shape.dropFirst()))
  }

  /// Joins tensors along a dimension in which alone they may differ.
  public static func concatenated(_ parts: [Tensor], along dimension: Int) -> Tensor {
    guard let first = parts.first else { preconditionFailure("nothing to concatenate") }
    let index = Shapes.index(dimension, rank: first.rank)
    var shape = first.shape
    shape[index] = 0
    for part in parts {
      var other = part.shape
      precondition(
        other.count == first.rank,
        "concatenate: shapes \(first.shape) and \(part.shape) differ in rank")
      shape[index] += other[index]
      other[index] = first.shape[index]
      precondition(
        other == first.shape,
        "concatenate along \(index): shapes \(first.shape) and \(part.shape) do not fit")
    }
    let outer = shape[..<index].reduce(1, *)
    let inner = shape[(index + 1)...].reduce(1, *)
    let total = shape[index]
    let result = Tensor(shape: shape) { result in
      var start = 0
      for part in parts {
        let width = part.shape[index] * inner
        part.withUnsafeElements { source in
          guard !source.isEmpty else { return }
          copyBlocks(
            outer, blockSize: width, from: source.baseAddress!, sourceStride: width,
            to: result.baseAddress! + start, targetStride: total * inner)
        }
        start += width
      }
    }
    return result.recorded(from: parts) { upstream, accumulator in
      var start = 0
      for part in parts {
        let range = start..<(start + part.shape[index])
        accumulator.add(upstream.slice(range, along: index), to: part.node)
        start = range.upperBound
      }
    }
  }

  /// Joins tensors of one shape along a new first dimension.
  public static func stacked(_ parts: [Tensor]) -> Tensor {
    concatenated(parts.map { $0.expandingDimension(at: 0) }, along: 0)
  }

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
      var gradient = Tensor.zeros(whole)
      gradient.withUnsafeMutableElements { gradient in
        upstream.withUnsafeElements { upstream in
          for (row, index) in indices.enumerated() {
            for column in 0..<width {
              gradient[index * width + column] += upstream[row * width + column]
            }
          }
        }
      }
      accumulator.add(gradient, to: node)
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

/// Copies equally long blocks between buffers in which they are evenly spaced.
private func copyBlocks(
  _ count: Int, blockSize: Int, from source: UnsafePointer<Float>, sourceStride: Int,
  to target: UnsafeMutablePointer<Float>, targetStride: Int
) {
  Loops.overRows(count, width: blockSize) { range in
    for block in range {
      (target + block * targetStride).update(
        from: source + block * sourceStride, count: blockSize)
    }
  }
}
