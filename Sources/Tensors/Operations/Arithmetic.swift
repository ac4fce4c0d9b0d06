import CKernels

extension Tensor {
  /// The sum of two tensors, broadcast.
  public static func + (a: Tensor, b: Tensor) -> Tensor {
    let result = binary(attune_binary_add, a, b, operation: "+")
    let (first, second) = (GradientOperand(a), GradientOperand(b))
    return result.recorded(from: a, b) { upstream, accumulator in
      accumulator.add(upstream, toBroadcast: first)
      accumulator.add(upstream, toBroadcast: second)
    }
  }

  /// The difference of two tensors, broadcast.
  public static func - (a: Tensor, b: Tensor) -> Tensor {
    let result = binary(attune_binary_subtract, a, b, operation: "-")
    let (first, second) = (GradientOperand(a), GradientOperand(b))
    return result.recorded(from: a, b) { upstream, accumulator in
      accumulator.add(upstream, toBroadcast: first)
      accumulator.add(-upstream, toBroadcast: second)
    }
  }

  /// The product of corresponding elements, broadcast.
  public static func * (a: Tensor, b: Tensor) -> Tensor {
    let result = binary(attune_binary_multiply, a, b, operation: "*")
    let (first, second) = (GradientOperand(a), GradientOperand(b))
    // An operand is needed for the other's gradient alone.
    let factorOfFirst = a.node == nil ? nil : b.detached()
    let factorOfSecond = b.node == nil ? nil : a.detached()
    return result.recorded(from: a, b) { upstream, accumulator in
      if let factorOfFirst { accumulator.add(upstream * factorOfFirst, toBroadcast: first) }
      if let factorOfSecond { accumulator.add(upstream * factorOfSecond, toBroadcast: second) }
    }
  }

  /// The quotient of corresponding elements, broadcast.
  public static func / (a: Tensor, b: Tensor) -> Tensor {
    let result = binary(attune_binary_divide, a, b, operation: "/")
    let (first, second) = (GradientOperand(a), GradientOperand(b))
    let divisor = b.detached()
    let quotient = b.node == nil ? nil : result
    return result.recorded(from: a, b) { upstream, accumulator in
      let scaled = upstream / divisor
      accumulator.add(scaled, toBroadcast: first)
      if let quotient { accumulator.add(-(scaled * quotient), toBroadcast: second) }
    }
  }

  /// The tensor times `scale` plus `shift`.
  public func scaled(by scale: Float, plus shift: Float = 0) -> Tensor {
    let result = mapped { count, x, y in attune_scale_and_shift(count, x, scale, shift, y) }
    return result.recorded(from: self) { [node] upstream, accumulator in
      accumulator.add(upstream.scaled(by: scale), to: node)
    }
  }

  /// Every element's negative.
  public static prefix func - (a: Tensor) -> Tensor { a.scaled(by: -1) }
  /// Adds a number to every element.
  public static func + (a: Tensor, b: Float) -> Tensor { a.scaled(by: 1, plus: b) }
  /// Adds every element to a number.
  public static func + (a: Float, b: Tensor) -> Tensor { b.scaled(by: 1, plus: a) }
  /// Subtracts a number from every element.
  public static func - (a: Tensor, b: Float) -> Tensor { a.scaled(by: 1, plus: -b) }
  /// Subtracts every element from a number.
  public static func - (a: Float, b: Tensor) -> Tensor { b.scaled(by: -1, plus: a) }
  /// Multiplies every element by a number.
  public static func * (a: Tensor, b: Float) -> Tensor { a.scaled(by: b) }
  /// Multiplies every element by a number.
  public static func * (a: Float, b: Tensor) -> Tensor { b.scaled(by: a) }
  /// Divides every element by a number.
  public static func / (a: Tensor, b: Float) -> Tensor { a.scaled(by: 1 / b) }
  /// Divides a number by every element.
  public static func / (a: Float, b: Tensor) -> Tensor { Tensor(a) / b }

  /// The greater of corresponding elements, broadcast; equal elements share the gradient.
  public static func maximum(_ a: Tensor, _ b: Tensor) -> Tensor {
    extremum(attune_binary_maximum, a, b, operation: "maximum")
  }

  /// The smaller of corresponding elements, broadcast; equal elements share the gradient.
  public static func minimum(_ a: Tensor, _ b: Tensor) -> Tensor {
    extremum(attune_binary_minimum, a, b, operation: "minimum")
  }

  private static func extremum(
    _ kind: attune_binary_kind, _ a: Tensor, _ b: Tensor, operation: String
  ) -> Tensor {
    let result = binary(kind, a, b, operation: operation)
    let (first, second) = (GradientOperand(a), GradientOperand(b))
    let (valueA, valueB) = (a.detached(), b.detached())
    return result.recorded(from: a, b) { upstream, accumulator in
      let wholeA = valueA.broadcast(to: upstream.shape)
      let wholeB = valueB.broadcast(to: upstream.shape)
      let isMaximum = kind == attune_binary_maximum
      let shareOfA = isMaximum ? wholeA.isGreater(than: wholeB) : wholeB.isGreater(than: wholeA)
      accumulator.add(upstream * shareOfA, toBroadcast: first)
      accumulator.add(upstream * (1 - shareOfA), toBroadcast: second)
    }
  }

  /// 1 where this tensor is greater, 0.5 where both are equal, 0 elsewhere. Not recorded.
  private func isGreater(than other: Tensor) -> Tensor {
    other.withUnsafeElements { other in
      withUnsafeElements { mine in
        Tensor(shape: shape) { result in
          Loops.overElements(result.count) { range in
            attune_is_greater(
              range.count, mine.baseAddress! + range.lowerBound,
              other.baseAddress! + range.lowerBound, 0.5,
              result.baseAddress! + range.lowerBound)
          }
        }
      }
    }
  }

  /// Every element limited to `lower ... upper`; the gradient is zero outside, as in PyTorch.
  public func clamped(to lower: Float, _ upper: Float) -> Tensor {
    precondition(lower <= upper, "clamp: the bounds \(lower) and \(upper) are out of order")
    let result = mapped { count, x, y in attune_clamp(count, x, lower, upper, y) }
    let source = detached()
    return result.recorded(from: self) { [node] upstream, accumulator in
      accumulator.add(
        source.mapped(with: upstream) { count, x, up, y in
          attune_clamp_backward(count, x, up, lower, upper, y)
        }, to: node)
    }
  }

  /// `a` where `condition` is not zero, else `b`; all of one shape.
  public static func select(_ condition: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
    precondition(
      condition.shape == a.shape && a.shape == b.shape,
      "select: shapes \(condition.shape), \(a.shape) and \(b.shape) differ")
    let condition = condition.detached()
    let result = Tensor(shape: a.shape) { result in
      condition.withUnsafeElements { condition in
        a.withUnsafeElements { a in
          b.withUnsafeElements { b in
            Loops.overElements(result.count) { range in
              let first = range.lowerBound
              attune_select(
                range.count, condition.baseAddress! + first, a.baseAddress! + first,
                b.baseAddress! + first, result.baseAddress! + first)
            }
          }
        }
      }
    }
    let (nodeA, nodeB) = (a.node, b.node)
    return result.recorded(from: a, b) { upstream, accumulator in
      let zeros = Tensor.zeros(upstream.shape)
      accumulator.add(select(condition, upstream, zeros), to: nodeA)
      accumulator.add(select(condition, zeros, upstream), to: nodeB)
    }
  }

  /// Adds another tensor of the same shape, times `scale`, in place. Not recorded.
  public mutating func add(_ other: Tensor, scaledBy scale: Float = 1) {
    precondition(shape == other.shape, "cannot add shape \(other.shape) to \(shape) in place")
    withUnsafeMutableElements { mine in
      other.withUnsafeElements { other in
        Loops.overElements(mine.count) { range in
          attune_add_scaled(
            range.count, other.baseAddress! + range.lowerBound, scale,
            mine.baseAddress! + range.lowerBound)
        }
      }
    }
  }

  /// Applies a kernel to every element. Not recorded.
  func mapped(
    _ kernel: (Int, UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
  ) -> Tensor {
    withUnsafeElements { source in
      Tensor(shape: shape) { result in
        Loops.overElements(result.count) { range in
          kernel(
            range.count, source.baseAddress! + range.lowerBound,
            result.baseAddress! + range.lowerBound)
        }
      }
    }
  }

  /// Applies a kernel to corresponding elements of two tensors of one shape. Not recorded.
  func mapped(
    with other: Tensor,
    _ kernel: (
      Int, UnsafePointer<Float>, UnsafePointer<Float>, UnsafeMutablePointer<Float>
    ) -> Void
  ) -> Tensor {
    precondition(shape == other.shape, "shapes \(shape) and \(other.shape) differ")
    return other.withUnsafeElements { other in
      withUnsafeElements { source in
        Tensor(shape: shape) { result in
          Loops.overElements(result.count) { range in
            kernel(
              range.count, source.baseAddress! + range.lowerBound,
              other.baseAddress! + range.lowerBound, result.baseAddress! + range.lowerBound)
          }
        }
      }
    }
  }
}
