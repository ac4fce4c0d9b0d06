import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import ReinforcementLearning

/// The parts of soft actor-critic against PyTorch, and what an ensemble has to be.
@Suite struct SoftActorCriticTests {
  private let goldens: GoldenTensors

  init() throws { goldens = try GoldenTensors("ReinforcementLearning/off-policy.safetensors") }

  private func expectClose(
    _ found: Tensor?, _ expected: Tensor, _ comment: Comment, tolerance: Float = 2e-5
  ) throws {
    let found = try #require(found, comment)
    #expect(found.count == expected.count, comment)
    let scale = max(1, expected.elements.map(abs).max() ?? 1)
    for (found, expected) in zip(found.elements, expected.elements) {
      #expect(abs(found - expected) < tolerance * scale, comment)
    }
  }

  @Test func theSquashedGaussianMatchesReference() throws {
    let actor = TanhGaussianActor(
      observationSize: 5, actionSize: 3, hiddenSizes: [8, 8], activation: .tanh,
      usesLayerNorm: true, random: RandomStream(seed: 1))
    try actor.parameters.load(goldens.tensors(of: "actor", role: "parameter"))
    let (observations, noise) = try (goldens["actor/observations"], goldens["actor/noise"])
    let upstream = try goldens["actor/upstream"]
    let (actions, logProbabilities) = actor.sample(observations, noise: noise)
    try expectClose(actions, goldens["actor/actions"], "actions")
    try expectClose(logProbabilities, goldens["actor/log-probabilities"], "log-probabilities")
    let (_, gradients) = valueAndGradients {
      let (actions, logProbabilities) = actor.sample(observations, noise: noise)
      return (actions * upstream).sum() + logProbabilities.sum()
    }
    let expected = try goldens.tensors(of: "actor", role: "gradient")
    #expect(expected.count == 12)
    for (name, parameter) in actor.parameters {
      let gradient = try #require(expected[name], "\(name)")
      try expectClose(gradients[parameter.leaf], gradient, "\(name)", tolerance: 1e-4)
    }
  }

  /// Far out, where 1 - tanh(u)^2 is 0 in single precision, the density is still that of the Gaussian.
  @Test func theDensityIsFiniteWhereTheSquashIsFlat() {
    let actor = TanhGaussianActor(
      observationSize: 1, actionSize: 1, hiddenSizes: [1], activation: .identity,
      usesLayerNorm: false, random: RandomStream(seed: 1))
    for (name, parameter) in actor.parameters {
      parameter.value = Tensor(
        repeating: name == "mu.bias" ? 30 : 0, shape: parameter.value.shape)
    }
    let (actions, logProbabilities) = actor.sample(.zeros([1, 1]), noise: .zeros([1, 1]))
    #expect(actions.scalar == 1)
    // ln N(0) = -0.9189, and ln(da/du) = ln 4 - 2 u.
    let expected: Float = -0.918_938_5 - 1.386_294_4 + 60
    #expect(abs(logProbabilities.scalar - expected) < 1e-3)
  }

  @Test func theTemperatureMatchesReference() throws {
    let temperature = EntropyTemperature(initial: 0.5, targetEntropy: 0.7)
    let optimizer = Adam(temperature.parameters, learningRate: 1e-2)
    let draws = try goldens["temperature/log-probabilities"]
    for (row, expected) in try goldens["temperature/after"].elements.enumerated() {
      let (_, gradients) = valueAndGradients {
        temperature.loss(logProbabilities: draws.slice(row..<row + 1).flattened())
      }
      optimizer.step(gradients)
      #expect(abs(temperature.value - expected) < 1e-6, "\(row)")
    }
  }

  @Test func targetsAndCriticLossMatchReference() throws {
    let batch = ReplayBatch(
      observations: .zeros([7, 1]), actions: .zeros([7, 1]), rewards: try goldens["critic/rewards"],
      discounts: try goldens["critic/discounts"], nextObservations: .zeros([7, 1]))
    let targets = SoftActorCritic.targets(
      batch, nextValues: try goldens["critic/next-values"],
      nextLogProbabilities: try goldens["critic/next-log-probabilities"], temperature: 0.3)
    try expectClose(targets, goldens["critic/targets"], "targets")
    let values = try goldens["critic/values"]
    let loss = SoftActorCritic.criticLoss(
      (0..<2).map { values.slice($0..<$0 + 1).flattened() }, targets: targets)
    try expectClose(loss / 7, goldens["critic/loss"], "loss")
  }

  private func ensemble(count: Int) -> CriticEnsemble {
    CriticEnsemble(
      inputSize: 3, hiddenSizes: [8, 8], activation: .relu, usesLayerNorm: true, count: count,
      random: RandomStream(seed: 4))
  }

  /// Copies of one network stay equal under equal batches; these do not begin equal, nor become so.
  @Test func membersOfAnEnsembleAreIndependent() {
    let critics = ensemble(count: 4)
    let optimizer = Adam(critics.parameters, learningRate: 1e-3)
    var random = RandomStream(seed: 5)
    let (inputs, probes) = (random.normal([16, 3]), random.normal([5, 3]))
    let targets = random.normal([16])
    func differ() -> Bool {
      Set(critics(probes).map(\.elements)).count == 4
    }
    #expect(differ())
    for _ in 0..<50 {
      let (_, gradients) = valueAndGradients {
        SoftActorCritic.criticLoss(critics(inputs), targets: targets)
      }
      optimizer.step(gradients)
    }
    #expect(differ())
  }

  @Test func criticsAreReduced() {
    let values = [Tensor([1, 5, 3]), Tensor([4, 2, 9]), Tensor([7, 8, 0])]
    #expect(CriticReduction.minimum(values, members: []).elements == [1, 2, 0])
    #expect(CriticReduction.mean(values, members: []).elements == [4, 5, 4])
    #expect(CriticReduction.minimumOfTwo(values, members: [2, 0]).elements == [1, 5, 0])
    var random = RandomStream(seed: 3)
    let draws = (0..<60).map { _ in
      Set(CriticReduction.minimumOfTwo.members(of: 3, random: &random))
    }
    #expect(Set(draws) == [[0, 1], [0, 2], [1, 2]])
  }

  @Test func targetsFollowPartOfTheWay() {
    let (critics, targets) = (ensemble(count: 1), ensemble(count: 1))
    let name = "members.0.moduleList.2.linear_1.bias"
    critics.parameters[name]?.value = Tensor([3])
    targets.parameters[name]?.value = Tensor([1])
    targets.parameters.follow(critics.parameters, rate: 0.25)
    #expect(targets.parameters[name]?.value.elements == [1.5])
  }

  /// Gradients pass through what does not learn, and it learns again afterwards.
  @Test func networksCanBeClimbedWithoutLearning() {
    let critics = ensemble(count: 2)
    let leaf = GradientLeaf()
    let (_, gradients) = critics.parameters.withoutLearning {
      valueAndGradients { critics(Tensor.ones([1, 3]).tracked(as: leaf))[0].sum() }
    }
    #expect(gradients[leaf] != nil)
    for (name, parameter) in critics.parameters {
      #expect(gradients[parameter.leaf] == nil && parameter.isTrainable, "\(name)")
    }
  }
}
