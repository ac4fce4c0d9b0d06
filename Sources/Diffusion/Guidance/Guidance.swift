import Tensors

/// Which halves of a guided batch the network is asked for.
public enum GuidanceHalves: Sendable {
  /// `[2 B, ...]`: B rows without the condition, then B rows with it.
  case both
  /// `[B, ...]`: rows with the condition only.
  case conditionalOnly
}

/// A network that can be run without its condition as well.
///
/// - Parameters:
///   - sample: `[2 B, ...]` or `[B, ...]`, as `halves` says.
///   - timeSteps: shared, or one for each of those rows.
public typealias ConditionalDenoiser = (
  _ sample: Tensor, _ timeSteps: Broadcast<Float>, _ halves: GuidanceHalves
) -> Tensor

/// Classifier-free guidance (Ho and Salimans, arXiv:2207.12598): the prediction moves on from the
/// unconditional one through the conditional one.
public struct Guidance: Sendable, Equatable {
  /// `guidance_scale` in diffusers; 1 or less turns guidance off.
  public var scale: Float
  /// How far the guided prediction's standard deviation is brought back to the conditional one's, 0
  /// to 1 (Lin et al., arXiv:2305.08891, section 3.4; 0.7 there).
  public var rescale: Float
  /// The time steps at which guidance acts; all if nil. Elsewhere the conditional prediction is
  /// used and the unconditional one not computed (Kynkäänniemi et al., arXiv:2404.07724; see
  /// `NoiseSchedule.timeSteps(withNoiseLevelsIn:)`).
  public var interval: ClosedRange<Float>?

  /// Guidance of the given scale, at all time steps unless told otherwise.
  public init(scale: Float, rescale: Float = 0, interval: ClosedRange<Float>? = nil) {
    precondition((0...1).contains(rescale), "guidance rescale \(rescale) is not in 0 ... 1")
    self.scale = scale
    self.rescale = rescale
    self.interval = interval
  }

  /// Whether the unconditional prediction counts at all. As in diffusers, a scale of 1 or less is
  /// no guidance: distilled models say 0, and mean the conditional prediction alone.
  public var isOn: Bool { scale > 1 }

  /// The network with guidance, both halves in one batch.
  public func applied(to denoiser: @escaping ConditionalDenoiser) -> Denoiser {
    { sample, timeSteps in
      let isActive = timeSteps.map { time in
        isOn && (interval?.contains(time) ?? true)
      }
      if isActive.allSatisfy({ !$0 }) { return denoiser(sample, timeSteps, .conditionalOnly) }
      let count = sample.shape[0]
      let doubled: Broadcast<Float> =
        switch timeSteps {
        case .shared: timeSteps
        case .perRow(let values): .perRow(values + values)
        }
      let both = denoiser(.concatenated([sample, sample], along: 0), doubled, .both)  // [2 B, ...]
      return combined(
        unconditional: both.slice(0..<count), conditional: both.slice(count..<(2 * count)),
        isActive: isActive)
    }
  }

  /// The guided prediction where guidance is active, else the conditional one.
  func combined(
    unconditional: Tensor, conditional: Tensor, isActive: Broadcast<Bool> = .shared(true)
  ) -> Tensor {
    let scales = isActive.map { $0 ? scale : 1 }.tensor(rank: conditional.rank)
    let guided = unconditional + scales * (conditional - unconditional)
    guard rescale > 0 else { return guided }
    let weights = isActive.map { $0 ? rescale : 0 }.tensor(rank: conditional.rank)
    let matched = guided * (conditional.rowStds() / guided.rowStds())
    return weights * matched + (1 - weights) * guided
  }
}

extension Tensor {
  /// The standard deviation of each row's elements, `[B, ...]` to `[B, 1, ...]`.
  fileprivate func rowStds() -> Tensor {
    let flat = flattened(from: 1)  // [B, N]
    let centred = flat - flat.mean(along: 1, keepsDimension: true)
    let stds = centred.squared().mean(along: 1).squareRoot()
    return stds.reshaped(to: [shape[0]] + [Int](repeating: 1, count: rank - 1))
  }
}
