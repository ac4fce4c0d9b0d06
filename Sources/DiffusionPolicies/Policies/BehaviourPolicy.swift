import Environments
import Files
import NeuralNetworks
import Tensors

/// A squashed Gaussian actor as soft actor-critic trains it (Haarnoja et al., arXiv:1801.01290,
/// appendix C), used to collect demonstrations: a = tanh(mean(s) + standard deviation(s) e).
///
/// The file is safetensors with `hidden<i>`, `mean` and `log_std` layers.
public final class BehaviourPolicy: Module {
  /// How actions are chosen.
  public enum Choice: String, Sendable, CaseIterable {
    /// tanh(mean): no noise.
    case deterministic
    /// A draw from the distribution.
    case sampled
  }

  private let hidden: [Linear]
  private let mean: Linear
  private let logStd: Linear
  /// `Do`
  public let observationSize: Int
  /// `Da`
  public let actionSize: Int
  /// Stable-Baselines' limits on ln(standard deviation).
  private static let logStdRange: (Float, Float) = (-20, 2)

  /// Reads an actor.
  ///
  /// - Throws: `FileError` if the file is no actor; `PolicyError` if its layers do not fit
  ///   together.
  public init(path: String) throws {
    let file = try SafetensorsFile(path: path)
    var values: [String: Tensor] = [:]
    for name in file.names { values[name] = try file.tensor(named: name) }
    func size(_ name: String, _ dimension: Int) throws -> Int {
      guard let weight = values["\(name).weight"], weight.rank == 2 else {
        throw PolicyError.notAnActor(path: path, missing: "\(name).weight")
      }
      return weight.shape[dimension]
    }
    // Every weight is about to be replaced by the file's.
    var random = RandomStream(seed: 0)
    func layer(_ name: String) throws -> Linear {
      Linear(inputSize: try size(name, 1), outputSize: try size(name, 0), random: &random)
    }
    let hiddenCount = file.names.count { $0.hasPrefix("hidden") && $0.hasSuffix(".weight") }
    hidden = try (0..<hiddenCount).map { try layer("hidden\($0)") }
    mean = try layer("mean")
    logStd = try layer("log_std")
    observationSize = try size(hiddenCount > 0 ? "hidden0" : "mean", 1)
    actionSize = try size("mean", 0)
    do {
      try parameters.load(values)
    } catch {
      throw PolicyError.unfitting(path: path, reason: "\(error)")
    }
    let widths = [observationSize] + hidden.map { $0.weight.value.shape[0] }
    let inputs = (hidden + [mean]).map { $0.weight.value.shape[1] }
    guard widths == inputs, logStd.weight.value.shape == mean.weight.value.shape else {
      throw PolicyError.unfitting(
        path: path, reason: "layers of widths \(widths) are followed by inputs of \(inputs)")
    }
  }

  /// Actions `[B, Da]` in -1 ... 1 for observations `[B, Do]`.
  ///
  /// - Parameters:
  ///   - observations: `[B, Do]`
  ///   - noise: `[B, Da]` from N(0, I), or nil for the mean action.
  public func actions(_ observations: Tensor, noise: Tensor? = nil) -> Tensor {
    let features = hidden.reduce(observations) { $1($0, activation: .relu) }  // [B, D]
    let mean = mean(features)
    guard let noise else { return mean.tanh() }
    let (low, high) = Self.logStdRange
    let std = logStd(features).clamped(to: low, high).exp()
    return (mean + std * noise).tanh()
  }

  /// `hidden<i>`, `mean`, `log_std`
  public func collect(into parameters: inout NamedParameters) {
    for (index, layer) in hidden.enumerated() { parameters.add("hidden\(index)", layer) }
    parameters.add("mean", mean)
    parameters.add("log_std", logStd)
  }

  /// The policy for one episode in an environment, whose noise depends on `seed` alone.
  ///
  /// - Throws: `PolicyError.sizes` if the environment has other observations or actions.
  public func player(
    in environment: any Environment, choice: Choice, seed: UInt64
  ) throws -> ([Float], Int) -> [Float] {
    let space = environment.actionSpace
    guard environment.observationSpace.count == observationSize, space.count == actionSize else {
      throw PolicyError.sizes(
        environment: environment.name, observation: environment.observationSpace.count,
        action: space.count, policyObservation: observationSize, policyAction: actionSize)
    }
    var noise = RandomStream(seed: seed, purpose: "behaviour policy")
    return { observation, _ in
      let x = Tensor(shape: [1, self.observationSize], elements: observation)
      let e = choice == .sampled ? noise.normal([1, self.actionSize]) : nil
      let action = self.actions(x, noise: e).elements
      // From -1 ... 1 to the space's bounds.
      return action.indices.map { index in
        let (low, high) = (space.lowerBounds[index], space.upperBounds[index])
        return low + (action[index] + 1) * 0.5 * (high - low)
      }
    }
  }
}
