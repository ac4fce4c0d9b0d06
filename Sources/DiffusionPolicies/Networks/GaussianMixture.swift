import Diffusion
import Tensors

/// A mixture of `G` normal distributions of whole chunks: a chunk is of one mode from its first
/// action to its last.
public struct GaussianMixture: ChunkDistribution {
  /// Of each mode, `[B, G, Tp, Da]`.
  public let means: Tensor
  /// Of each mode; broadcast to the means.
  public let standardDeviations: Tensor
  /// The modes' probabilities are the softmax of these, `[B, G]`.
  public let logits: Tensor

  /// What a mode's standard deviation is when a policy is evaluated, as in robomimic
  /// (`low_noise_eval`) and in the DPPO reference.
  public static let evaluationStd: Float = 1e-4

  /// Mixtures of some parts.
  public init(means: Tensor, standardDeviations: Tensor, logits: Tensor) {
    precondition(
      means.rank == 4 && logits.shape == Array(means.shape.prefix(2)),
      "modes of means \(means.shape) with logits \(logits.shape)")
    self.means = means
    self.standardDeviations = standardDeviations
    self.logits = logits
  }

  /// A draw of a mode by the modes' probabilities, then of a chunk of it: evaluated, almost its mean.
  ///
  /// The mean of all modes is between them, where no demonstration may ever have been.
  public func chunks(_ mode: ActionMode, _ draws: ChunkDraws) -> Tensor {
    let chosen = draws.choices(logits.softmax())
    let modeCount = means.shape[1]
    let places = chosen.enumerated().map { row, mode in row * modeCount + (mode ?? 0) }
    func chosenOnes(_ parts: Tensor) -> Tensor { parts.flattenedModes.gather(places) }
    let std =
      mode == .exploring
      ? chosenOnes(standardDeviations.broadcast(to: means.shape)) : Tensor(Self.evaluationStd)
    let chunks = Transition(mean: chosenOnes(means), standardDeviation: std)
      .sample(noise: draws.noise())
    guard chosen.contains(nil) else { return chunks }
    // What a network that broke says must not look as if it had not.
    let marks = Tensor(chosen.map { $0 == nil ? Float.nan : 1 })
    return chunks * marks.reshaped(to: [chosen.count, 1, 1])
  }

  /// Of every chunk, `[B]`: ln of the sum of the modes' densities, each times its probability.
  public func logDensities(of chunks: Tensor) -> Tensor {
    let elements = chunks.expandingDimension(at: 1).broadcast(to: means.shape)
      .gaussianLogDensity(mean: means, standardDeviation: standardDeviations)
    let modes = elements.flattened(from: 2).sum(along: 2)  // [B, G]
    return (logits.logSoftmax() + modes).logSumExpAlongLast()
  }

  /// Of the modes, each by its probability.
  public var meanLogStd: Tensor? {
    let ofModes = standardDeviations.log().broadcast(to: means.shape).flattened(from: 2)
      .mean(along: 2)  // [B, G]
    return (logits.softmax() * ofModes).sum(along: 1).mean()
  }
}

extension Tensor {
  /// `[B, G, ...]` to `[B G, ...]`
  fileprivate var flattenedModes: Tensor {
    reshaped(to: [shape[0] * shape[1]] + shape.dropFirst(2))
  }
}
