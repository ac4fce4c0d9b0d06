import NeuralNetworks
import Tensors

/// Numbers of a model that are infinite or none, which would become a black image.
public struct NonFiniteOutput: Error, Equatable, CustomStringConvertible {
  /// What gave them.
  public enum Place: Sendable, Equatable {
    /// The states of prompts.
    case textEncoder
    /// A prediction, at a run of the network counted from one.
    case network(step: Int, of: Int)
    /// The sample that goes into such a run: initial noise, or what a sampler made.
    case sample(step: Int, of: Int)
    /// The sample that is decoded.
    case finalSample
    /// An image.
    case decoder
  }

  /// A weight that is to blame.
  public struct Weight: Sendable, Equatable {
    /// Its name, with the part's: `unet.conv_in.weight`.
    public let name: String
    /// Elements that are not finite.
    public let badCount: Int
    /// All elements.
    public let count: Int
  }

  /// What gave them.
  public let place: Place
  /// Elements that are not finite.
  public let badCount: Int
  /// All elements.
  public let count: Int
  /// The first weight of the part that is not finite; nil if all are.
  public let weight: Weight?

  /// What happened where, and what to do.
  public var description: String {
    "\(place.words) has \(badCount) of \(count) elements that are not finite: "
      + (weight.map {
        "the weight '\($0.name)' has \($0.badCount) of \($0.count); the model folder is damaged or "
          + "its training diverged: fetch it again, or take an earlier checkpoint"
      } ?? place.adviceForFiniteWeights)
  }
}

extension NonFiniteOutput.Place {
  fileprivate var words: String {
    switch self {
    case .textEncoder: "the text encoder's output"
    case .network(let step, let total): "the U-Net's prediction at step \(step) of \(total)"
    case .sample(let step, let total): "the sample that the U-Net gets at step \(step) of \(total)"
    case .finalSample: "the sample after the last step"
    case .decoder: "the image that the decoder gave"
    }
  }

  /// Where the weights begin in `GenerativeModel.parameters`.
  fileprivate var prefix: String? {
    switch self {
    case .textEncoder: "text_encoder."
    case .network: "unet."
    case .decoder: "vae."
    case .sample, .finalSample: nil
    }
  }

  fileprivate var adviceForFiniteWeights: String {
    switch self {
    case .textEncoder, .network:
      "its weights are all finite, but so large that sums overflow; is the model damaged?"
    case .decoder:
      "its weights are all finite, but sums overflow; does vae/ belong to this model?"
    case .sample(let step, _) where step == 1:
      "the initial noise is not finite; is the prior valid?"
    case .sample, .finalSample:
      "the predictions were finite; try another sampler, more steps or a lower guidance"
    }
  }
}

extension Tensor {
  /// How many elements are infinite or no number.
  package var nonFiniteCount: Int {
    // A sum is finite only if all its terms are; that it can overflow by itself is told apart
    // below.
    sum().scalar.isFinite ? 0 : elements.count { !$0.isFinite }
  }
}

extension NonFiniteOutput {
  /// Stops at numbers that are infinite or none.
  ///
  /// - Parameters:
  ///   - output: of a part, any shape.
  ///   - place: the part.
  ///   - input: what went into it, to blame where the weights are valid.
  ///   - weights: of the model, named by part.
  /// - Throws: `NonFiniteOutput`, naming the first weight at fault.
  package static func check(
    _ output: Tensor, of place: Place, from input: Tensor? = nil,
    weights: @autoclosure () -> NamedParameters
  ) throws(NonFiniteOutput) {
    let badCount = output.nonFiniteCount
    guard badCount > 0 else { return }
    let weights = weights()
    let weight = firstWeight(of: place, among: weights)
    if weight == nil, let input, case .network(let step, let total) = place {
      try check(input, of: .sample(step: step, of: total), weights: weights)
    }
    throw NonFiniteOutput(place: place, badCount: badCount, count: output.count, weight: weight)
  }

  private static func firstWeight(of place: Place, among weights: NamedParameters) -> Weight? {
    guard let prefix = place.prefix else { return nil }
    for (name, parameter) in weights where name.hasPrefix(prefix) {
      let badCount = parameter.value.nonFiniteCount
      guard badCount > 0 else { continue }
      return Weight(name: name, badCount: badCount, count: parameter.value.count)
    }
    return nil
  }
}
