import Diffusion
import Tensors
import Testing

@testable import InitialNoise

/// A process whose first action is learned; nothing denoises it.
let oneStep = DenoisingProcess(
  sampler: DDIMSampler(.squaredCosine(timeStepCount: 10), count: 1))

/// One step of FIND, by hand.
struct PriorUpdateTests {
  /// Along the natural gradient the mean of advantage times (z - mu) moves mu, and that of
  /// advantage times ((z - mu)^2 / sigma - sigma) / 2 moves sigma, whatever the reduction: the
  /// Fisher information is 1 / sigma^2 for mu and 2 / sigma^2 for sigma.
  @Test(arguments: LogProbabilityReduction.allCases)
  func stepIsTheNaturalGradient(_ reduction: LogProbabilityReduction) throws {
    let shape = [1, 1, 2]
    var configuration = FINDConfiguration()
    configuration.reduction = reduction
    configuration.priorPenaltyWeight = 0
    configuration.rewardWeight = 2
    configuration.stepSize = 0.05
    configuration.learnsStd = true
    let prior = NoisePrior(
      mean: Tensor(shape: shape, elements: [1, -2]),
      standardDeviation: Tensor(shape: shape, elements: [2, 0.5]))
    let parameters = LearnedPrior(shape: shape, learnsStd: true)
    parameters.prior = prior
    let noise = Tensor(shape: [2] + shape, elements: [3, -1, 1, -2.5])
    let entry = NoiseHistory.Entry(
      noise: noise, logDensities: reduction(prior.logDensity(of: noise)), rewards: [1, 0],
      advantages: [1, -0.5])
    let update = PriorUpdate(process: oneStep, shape: shape, configuration: configuration)
    _ = update.step(parameters, [entry])
    // A step of 0.05 with a weight of 2 is one of 0.1:
    // 0.1 / 2 x (1 x (3 - 1) - 0.5 x (1 - 1)) and 0.1 / 2 x (1 x (-1 + 2) - 0.5 x (-2.5 + 2))
    expectNear(parameters.mean.value, [1 + 0.1, -2 + 0.0625])
    // 0.1 / 4 x (1 x (4 / 2 - 2) - 0.5 x (0 - 2)) and
    // 0.1 / 4 x (1 x (1 / 0.5 - 0.5) - 0.5 x (0.25 / 0.5 - 0.5))
    expectNear(parameters.std.value, [2 + 0.025, 0.5 + 0.0375])
  }

  /// The penalty's part of the step: -w mu sigma^2 and -w (sigma - 1 / sigma) sigma^2 / 2, the
  /// gradients of KL(pi || N(0, I)).
  @Test(arguments: LogProbabilityReduction.allCases)
  func penaltyMovesTowardsTheStandardNormal(_ reduction: LogProbabilityReduction) {
    let shape = [1, 1, 2]
    var configuration = FINDConfiguration()
    configuration.reduction = reduction
    configuration.priorPenaltyWeight = 0.5
    configuration.stepSize = 0.1
    let prior = NoisePrior(
      mean: Tensor(shape: shape, elements: [1, -2]),
      standardDeviation: Tensor(shape: shape, elements: [2, 0.5]))
    let parameters = LearnedPrior(shape: shape, learnsStd: true)
    parameters.prior = prior
    let noise = Tensor(shape: [1] + shape, elements: [0, 0])
    let entry = NoiseHistory.Entry(
      noise: noise, logDensities: reduction(prior.logDensity(of: noise)), rewards: [0],
      advantages: [0])
    _ = PriorUpdate(process: oneStep, shape: shape, configuration: configuration).step(
      parameters, [entry])
    expectNear(parameters.mean.value, [1 - 0.05 * 4, -2 + 0.05 * 2 * 0.25])
    expectNear(parameters.std.value, [2 - 0.025 * 1.5 * 4, 0.5 + 0.025 * 1.5 * 0.25])
  }

  private func expectNear(
    _ found: Tensor, _ expected: [Float], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let isNear = zip(found.elements, expected).allSatisfy { abs($0 - $1) <= 1e-5 }
    #expect(isNear, "\(found), expected \(expected)", sourceLocation: sourceLocation)
  }
}
