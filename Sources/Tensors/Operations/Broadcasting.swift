import CKernels

/// How two tensors are read together to make a third, with dimensions merged where both allow it.
private struct BroadcastPlan {
  struct Loop {
    var size: Int
    var strideA: Int
    var strideB: Int
  }
  /// Outermost first; the last is the run that a kernel takes at once.
  var loops: [Loop] = []

  init(_ shapeA: [Int], _ shapeB: [Int], result: [Int]) {
    // Nearly every call: equal shapes, or a number.
    if shapeA == shapeB || shapeA.isEmpty || shapeB.isEmpty {
      loops = [
        Loop(
          size: result.reduce(1, *), strideA: shapeA == result ? 1 : 0,
          strideB: shapeB == result ? 1 : 0)
      ]
      return
    }
    let stridesA = Shapes.strides(shapeA)
    let stridesB = Shapes.strides(shapeB)
    for (index, size) in result.enumerated() where size != 1 {
      let indexA = index - (result.count - shapeA.count)
      let indexB = index - (result.count - shapeB.count)
      let strideA = indexA < 0 || shapeA[indexA] == 1 ? 0 : stridesA[indexA]
      let strideB = indexB < 0 || shapeB[indexB] == 1 ? 0 : stridesB[indexB]
      if let last = loops.last, last.strideA == strideA * size, last.strideB == strideB * size {
        loops[loops.count - 1] = Loop(
          size: last.size * size, strideA: strideA, strideB: strideB)
      } else {
        loops.append(Loop(size: size, strideA: strideA, strideB: strideB))
      }
    }
    if loops.isEmpty { loops = [Loop(size: 1, strideA: 0, strideB: 0)] }
  }

  /// Where run `index` begins in each operand.
  func offsets(ofRun index: Int) -> (a: Int, b: Int) {
    var remaining = index
    var offsets = (a: 0, b: 0)
    for loop in loops.dropLast().reversed() {
      let position = remaining % loop.size
      remaining /= loop.size
      offsets.a += position * loop.strideA
      offsets.b += position * loop.strideB
    }
    return offsets
  }
}

extension Tensor {
  /// Applies an arithmetic kernel to two tensors, broadcasting them by NumPy's rules.
  static func binary(
    _ kind: attune_binary_kind, _ a: Tensor, _ b: Tensor, operation: String
  ) -> Tensor {
    let shape = Shapes.broadcast(a.shape, b.shape, operation: operation)
    let plan = BroadcastPlan(a.shape, b.shape, result: shape)
    return Tensor(shape: shape) { result in
      guard let elements = result.baseAddress, !result.isEmpty else { return }
      a.withUnsafeElements { a in
        b.withUnsafeElements { b in
          run(kind, plan, a.baseAddress!, b.baseAddress!, elements)
        }
      }
    }
  }

  private static func run(
    _ kind: attune_binary_kind, _ plan: BroadcastPlan, _ a: UnsafePointer<Float>,
    _ b: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>
  ) {
    let run = plan.loops[plan.loops.count - 1]
    guard plan.loops.count > 1 else {
      Loops.overElements(run.size) { range in
        attune_binary(
          kind, range.count, a + range.lowerBound * run.strideA, run.strideA,
          b + range.lowerBound * run.strideB, run.strideB, result + range.lowerBound)
      }
      return
    }
    let runCount = plan.loops.dropLast().reduce(1) { $0 * $1.size }
    Loops.overRows(runCount, width: run.size) { range in
      for index in range {
        let offsets = plan.offsets(ofRun: index)
        attune_binary(
          kind, run.size, a + offsets.a, run.strideA, b + offsets.b, run.strideB,
          result + index * run.size)
      }
    }
  }

  /// The same elements repeated along dimensions of size 1 to fill `shape`.
  public func broadcast(to shape: [Int]) -> Tensor {
    guard shape != self.shape else { return self }
    precondition(
      Shapes.broadcast(self.shape, shape, operation: "broadcast") == shape,
      "cannot broadcast shape \(self.shape) to \(shape)")
    let result = Tensor.binary(attune_binary_add, self, .zeros(shape), operation: "broadcast")
    let operand = GradientOperand(self)
    return result.recorded(from: self) { upstream, accumulator in
      accumulator.add(upstream, toBroadcast: operand)
    }
  }

  /// Sums over the dimensions along which `shape` was broadcast to this tensor's shape.
  func sum(to shape: [Int]) -> Tensor {
    guard shape != self.shape else { return self }
    let padded = [Int](repeating: 1, count: rank - shape.count) + shape
    var result = self
    var outer = 1
    var index = 0
    // Adjacent dimensions that are summed, or kept, go together.
    while index < rank {
      let isSummed = padded[index] == 1 && self.shape[index] != 1
      var size = 1
      while index < rank, (padded[index] == 1 && self.shape[index] != 1) == isSummed {
        size *= self.shape[index]
        index += 1
      }
      if isSummed {
        let inner = self.shape[index...].reduce(1, *)
        result = result.reshaped(to: [outer, size, inner]).summedOverMiddle()
      } else {
        outer *= size
      }
    }
    return result.reshaped(to: shape)
  }
}
