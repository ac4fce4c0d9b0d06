import CKernels

/// A function of one element that a layer applies to its result.
public enum Activation: String, Sendable, CaseIterable, Codable {
  /// No change.
  case identity
  /// max(x, 0)
  case relu
  /// x tanh(softplus(x)) (Misra, arXiv:1908.08681).
  case mish
  /// x sigmoid(x), also known as swish.
  case silu
  /// x Phi(x), with the error function.
  case gelu
  /// The approximation of `gelu` by tanh.
  case geluTanh
  /// x sigmoid(1.702 x), as in CLIP.
  case geluQuick
  /// The hyperbolic tangent.
  case tanh
  /// 1 / (1 + exp(-x))
  case sigmoid
  /// ln(1 + exp(x))
  case softplus

  var kernel: attune_unary_kind? {
    switch self {
    case .identity: nil
    case .relu: attune_unary_relu
    case .mish: attune_unary_mish
    case .silu: attune_unary_silu
    case .gelu: attune_unary_gelu
    case .geluTanh: attune_unary_gelu_tanh
    case .geluQuick: attune_unary_gelu_quick
    case .tanh: attune_unary_tanh
    case .sigmoid: attune_unary_sigmoid
    case .softplus: attune_unary_softplus
    }
  }
}

extension Tensor {
  /// Applies an activation to every element.
  public func applying(_ activation: Activation) -> Tensor {
    guard let kernel = activation.kernel else { return self }
    return unary(kernel)
  }

  /// max(x, 0)
  public func relu() -> Tensor { unary(attune_unary_relu) }
  /// x tanh(softplus(x))
  public func mish() -> Tensor { unary(attune_unary_mish) }
  /// x sigmoid(x)
  public func silu() -> Tensor { unary(attune_unary_silu) }
  /// x Phi(x), with the error function.
  public func gelu() -> Tensor { unary(attune_unary_gelu) }
  /// The hyperbolic tangent.
  public func tanh() -> Tensor { unary(attune_unary_tanh) }
  /// 1 / (1 + exp(-x))
  public func sigmoid() -> Tensor { unary(attune_unary_sigmoid) }
  /// ln(1 + exp(x))
  public func softplus() -> Tensor { unary(attune_unary_softplus) }
  /// e to the power of every element.
  public func exp() -> Tensor { unary(attune_unary_exp) }
  /// The natural logarithm; subnormal elements count as zero.
  public func log() -> Tensor { unary(attune_unary_log) }
  /// The square root.
  public func squareRoot() -> Tensor { unary(attune_unary_sqrt) }
  /// Every element times itself.
  public func squared() -> Tensor { unary(attune_unary_square) }
  /// The absolute value; its derivative at zero is zero.
  public func absolute() -> Tensor { unary(attune_unary_absolute) }

  private func unary(_ kind: attune_unary_kind) -> Tensor {
    let result = mapped { count, x, y in attune_unary(kind, count, x, y) }
    guard node != nil else { return result }
    let source = detached()
    return result.recorded(from: self) { [node] upstream, accumulator in
      accumulator.add(
        Tensor.unaryGradient(kind, source: source, result: result, upstream: upstream), to: node)
    }
  }

  /// The gradient at an activation's input.
  static func unaryGradient(
    _ kind: attune_unary_kind, source: Tensor, result: Tensor, upstream: Tensor
  ) -> Tensor {
    source.withUnsafeElements { x in
      result.withUnsafeElements { y in
        upstream.withUnsafeElements { up in
          Tensor(shape: upstream.shape) { gradient in
            Loops.overElements(gradient.count) { range in
              let first = range.lowerBound
              attune_unary_backward(
                kind, range.count, x.baseAddress! + first, y.baseAddress! + first,
                up.baseAddress! + first, gradient.baseAddress! + first)
            }
          }
        }
      }
    }
  }
}
