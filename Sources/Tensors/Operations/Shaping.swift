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
    let operands = parts.map(GradientOperand.init)
    return result.recorded(from: parts) { upstream, accumulator in
      var start = 0
      for operand in operands {
        let range = start..<(start + operand.shape[index])
        accumulator.add(upstream.slice(range, along: index), to: operand.node)
        start = range.upperBound
      }
    }
  }

  /// Joins tensors of one shape along a new first dimension.
  public static func stacked(_ parts: [Tensor]) -> Tensor {
    concatenated(parts.map { $0.expandingDimension(at: 0) }, along: 0)
  }
}

/// Copies equally long blocks between buffers in which they are evenly spaced.
func copyBlocks(
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
