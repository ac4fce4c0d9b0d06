import CKernels

extension Tensor {
  /// The sum of all elements, a scalar.
  public func sum() -> Tensor {
    let shape = self.shape
    let total = withUnsafeElements { $0.isEmpty ? 0 : attune_sum($0.count, $0.baseAddress!) }
    return Tensor(Float(total)).recorded(from: self) { [node] upstream, accumulator in
      accumulator.add(Tensor(repeating: upstream.scalar, shape: shape), to: node)
    }
  }

  /// The sum of squares of all elements. Not recorded.
  public func squaredNorm() -> Double {
    withUnsafeElements { elements in
      elements.isEmpty ? 0 : attune_dot(elements.count, elements.baseAddress, elements.baseAddress)
    }
  }

  /// The mean of all elements, a scalar.
  public func mean() -> Tensor {
    precondition(count > 0, "the mean of no elements")
    return sum() / Float(count)
  }

  /// Sums over one dimension, which disappears or stays with size 1.
  public func sum(along dimension: Int, keepsDimension: Bool = false) -> Tensor {
    let index = Shapes.index(dimension, rank: rank)
    let outer = shape[..<index].reduce(1, *)
    let inner = shape[(index + 1)...].reduce(1, *)
    var kept = shape
    kept[index] = 1
    var dropped = shape
    dropped.remove(at: index)
    let size = shape[index]
    let whole = shape
    let result = detached().reshaped(to: [outer, size, inner]).summedOverMiddle()
    let keptShape = kept
    return result.reshaped(to: keepsDimension ? kept : dropped)
      .recorded(from: self) { [node] upstream, accumulator in
        accumulator.add(upstream.reshaped(to: keptShape).broadcast(to: whole), to: node)
      }
  }

  /// The mean over one dimension, which disappears or stays with size 1.
  public func mean(along dimension: Int, keepsDimension: Bool = false) -> Tensor {
    sum(along: dimension, keepsDimension: keepsDimension) / Float(size(dimension))
  }

  /// The maximum elements along the last dimension, which disappears. The first of equals gets the
  /// gradient.
  public func maximumAlongLast() -> Tensor {
    let width = size(-1)
    precondition(width > 0, "the maximum of no elements, shape \(shape)")
    let rows = count / width
    var positions = [Int32](repeating: 0, count: rows)
    let result = Tensor(shape: Array(shape.dropLast())) { result in
      withUnsafeElements { source in
        guard rows > 0 else { return }
        attune_maximum(rows, width, source.baseAddress!, result.baseAddress!, &positions)
      }
    }
    let shape = self.shape
    return result.recorded(from: self) { [node, positions] upstream, accumulator in
      var gradient = Tensor.zeros(shape)
      gradient.withUnsafeMutableElements { gradient in
        upstream.withUnsafeElements { upstream in
          for row in 0..<rows { gradient[row * width + Int(positions[row])] = upstream[row] }
        }
      }
      accumulator.add(gradient, to: node)
    }
  }

  /// The logarithm of the sum of exponentials along the last dimension, which disappears. Exponents
  /// are taken less the maximum, so that none overflows.
  public func logSumExpAlongLast() -> Tensor {
    let maximum = maximumAlongLast().detached()
    return (self - maximum.expandingDimension(at: -1)).exp().sum(along: -1).log() + maximum
  }

  /// The positions of the maximum elements along the last dimension.
  public func argumentsOfMaximum() -> [Int] {
    let width = size(-1)
    precondition(width > 0, "the maximum of no elements, shape \(shape)")
    let rows = count / width
    var positions = [Int32](repeating: 0, count: rows)
    var maximum = [Float](repeating: 0, count: rows)
    withUnsafeElements { source in
      guard rows > 0 else { return }
      attune_maximum(rows, width, source.baseAddress!, &maximum, &positions)
    }
    return positions.map(Int.init)
  }

  /// `[outer, reduced, inner]` to `[outer, inner]`. Not recorded.
  func summedOverMiddle() -> Tensor {
    let (outer, reduced, inner) = (shape[0], shape[1], shape[2])
    return withUnsafeElements { source in
      Tensor(shape: [outer, inner]) { result in
        guard outer * inner > 0 else { return }
        guard reduced > 0 else { return result.update(repeating: 0) }
        Loops.overRows(outer, width: reduced * inner) { range in
          attune_sum_middle(
            range.count, reduced, inner,
            source.baseAddress! + range.lowerBound * reduced * inner,
            result.baseAddress! + range.lowerBound * inner)
        }
      }
    }
  }
}
