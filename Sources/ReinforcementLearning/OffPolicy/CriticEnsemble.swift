import NeuralNetworks
import Tensors

/// Several critics Q(s, a), or V(s) where there are no actions. Each draws its first weights from a stream
/// of its own: copies of one network that learn from equal batches would stay equal, and be no ensemble.
public final class CriticEnsemble: Module {
  /// The critics.
  public let members: [MLP]

  /// - Parameters:
  ///   - inputSize: the numbers of an observation, and of an action if there are some.
  ///   - hiddenSizes: the hidden layers.
  ///   - activation: between layers.
  ///   - usesLayerNorm: normalizes hidden layers before their activation.
  ///   - count: the critics.
  ///   - random: draws the first weights.
  public init(
    inputSize: Int, hiddenSizes: [Int], activation: Activation, usesLayerNorm: Bool, count: Int,
    random: RandomStream
  ) {
    precondition(count > 0, "an ensemble of \(count) critics")
    members = (0..<count).map { member in
      var random = random.split(member)
      return MLP(
        sizes: [inputSize] + hiddenSizes + [1], activation: activation,
        usesLayerNorm: usesLayerNorm, random: &random)
    }
  }

  /// What each critic says of `N` rows, `[N]`.
  public func callAsFunction(_ inputs: Tensor) -> [Tensor] {
    members.map { $0(inputs).reshaped(to: [inputs.shape[0]]) }
  }

  /// What each critic says of actions `[N, A]` after observations `[N, O]`, `[N]`.
  public func callAsFunction(_ observations: Tensor, _ actions: Tensor) -> [Tensor] {
    self(.concatenated([observations, actions], along: 1))
  }

  /// `members.<i>.*`
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("members", members)
  }
}

/// How the numbers of several critics become one.
public enum CriticReduction: String, Codable, Sendable, CaseIterable {
  /// The least of all (Fujimoto et al., arXiv:1802.09477).
  case minimum
  /// The least of two that are drawn for each batch (Chen et al., arXiv:2101.05982).
  case minimumOfTwo
  /// Their mean.
  case mean

  /// `[N]` of each critic to `[N]`; differentiable.
  ///
  /// - Parameters:
  ///   - values: of each critic.
  ///   - members: the two critics of `minimumOfTwo`.
  public func callAsFunction(_ values: [Tensor], members: [Int]) -> Tensor {
    let rest = values.dropFirst()
    switch self {
    case .minimum: return rest.reduce(values[0]) { Tensor.minimum($0, $1) }
    case .minimumOfTwo:
      let chosen = members.map { values[$0] }
      return chosen.dropFirst().reduce(chosen[0]) { Tensor.minimum($0, $1) }
    case .mean: return rest.reduce(values[0], +) / Float(values.count)
    }
  }

  /// The critics that `minimumOfTwo` takes of a batch.
  public func members(of count: Int, random: inout RandomStream) -> [Int] {
    guard self == .minimumOfTwo else { return [] }
    return random.choiceWithoutReplacement(min(2, count), below: count)
  }
}

extension NamedParameters {
  /// Moves each value towards that of another network of the same form, by a part of the way (Polyak
  /// averaging): target networks.
  public func follow(_ other: NamedParameters, rate: Float) {
    precondition(count == other.count, "\(count) parameters follow \(other.count)")
    for ((_, mine), (_, theirs)) in zip(self, other) {
      mine.value.interpolate(towards: theirs.value, weight: rate)
    }
  }

  /// Runs `body` while none of them is learned: gradients pass through the network to its inputs, and
  /// those of its weights cost nothing.
  public func withoutLearning<Result>(_ body: () throws -> Result) rethrows -> Result {
    let before = map(\.parameter.isTrainable)
    for (_, parameter) in self { parameter.isTrainable = false }
    defer {
      for ((_, parameter), wasTrainable) in zip(self, before) {
        parameter.isTrainable = wasTrainable
      }
    }
    return try body()
  }
}
