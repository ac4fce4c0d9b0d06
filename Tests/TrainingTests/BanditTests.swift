import Foundation
import NeuralNetworks
import Runs
import Tensors
import TestSupport
import Testing
import Training

/// An algorithm of its own in one file: REINFORCE on a bandit of three arms, with a run folder and resume.
private final class Bandit: Trainer {
  struct Settings: RunConfiguration {
    var seed: UInt64 = 0
    var iterations = 40
    var learningRate = 0.1
    var draws = 16
    static let defaults = Settings()
    static let changeableOnResume = ChangeableSettings(keys: ["iterations"])
  }

  let configuration: Settings
  private(set) var iteration = 0
  var iterations: Int { configuration.iterations }
  private let network = Preferences()
  private let optimizer: Adam

  private final class Preferences: Module {
    let values = Parameter(.zeros([3]))

    func collect(into parameters: inout NamedParameters) { parameters.add("preferences", values) }
  }

  init(_ settings: Settings) {
    configuration = settings
    optimizer = .withDecoupledDecay(
      network.parameters, learningRate: Float(settings.learningRate), weightDecay: 0)
  }

  /// The probability of each arm.
  var policy: [Float] { network.values.value.softmax().elements }

  func iterate() throws -> Metrics {
    var random = RandomStream(seed: configuration.seed, purpose: "bandit", index: iteration)
    let policy = policy
    let arms = random.uniform([configuration.draws]).elements.map {
      $0 < policy[0] ? 0 : $0 < policy[0] + policy[1] ? 1 : 2
    }
    let noise = random.normal([configuration.draws]).elements
    let rewards = zip(arms, noise).map { Float($0) + $1 }  // the third arm pays best
    let mean = rewards.reduce(0, +) / Float(rewards.count)
    let (loss, gradients) = valueAndGradients {
      let logarithms = network.values.tensor.softmax().log().reshaped(to: [3, 1])
      let advantages = Tensor(rewards.map { $0 - mean })
      return -(logarithms.gather(arms).flattened() * advantages).mean()
    }
    try optimizer.step(gradients, of: network.parameters, normLimit: 0, loss: Double(loss.scalar))
    iteration += 1
    var metrics = Metrics(["reward": .mean])
    for reward in rewards { metrics.add("reward", Double(reward)) }
    metrics["loss"] = Double(loss.scalar)
    return metrics
  }

  func trainingState() -> TrainingState {
    var state = TrainingState()
    state.add(network.parameters.values, under: "weights")
    state.add(optimizer.state, under: "optimizer")
    state.numbers["iteration"] = iteration
    return state
  }

  func restore(_ state: TrainingState) throws {
    try network.parameters.load(state.tensors(under: "weights"))
    try optimizer.restore(state.optimizer(under: "optimizer"))
    iteration = try state.number("iteration")
  }
}

@Suite struct BanditTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func train(_ path: String, iterations: Int) throws -> [Float] {
    var settings = Bandit.Settings.defaults
    settings.iterations = iterations
    let run = try Run.open(
      at: folder.file(path), settings, command: "bandit", log: RunLog(isQuiet: true))
    let bandit = Bandit(settings)
    try TrainingLoop().train(PlainJob(bandit, in: run, checkpointInterval: 5))
    return bandit.policy
  }

  private func metrics(_ path: String) throws -> String {
    try String(contentsOfFile: "\(folder.file(path))/metrics.jsonl", encoding: .utf8)
  }

  @Test func anAlgorithmIsOneFile() throws {
    let whole = try train("whole", iterations: 40)
    #expect(whole[2] > 0.6, "\(whole)")
    _ = try train("stopped", iterations: 13)
    #expect(try train("stopped", iterations: 40) == whole)
    #expect(try metrics("stopped") == metrics("whole"))
    #expect(try metrics("whole").split(separator: "\n").count == 40)
  }

  /// A run that is done says so and learns no more.
  @Test func aFinishedRunStaysAsItIs() throws {
    let policy = try train("run", iterations: 7)
    let before = try metrics("run")
    #expect(try train("run", iterations: 7) == policy)
    #expect(try metrics("run") == before)
  }

  /// Settings that a run must keep are refused, by name.
  @Test func otherSettingsAreRefused() throws {
    _ = try train("run", iterations: 3)
    var settings = Bandit.Settings.defaults
    settings.draws = 4
    #expect(throws: RunFolderError.self) {
      try Run.open(
        at: folder.file("run"), settings, command: "bandit", log: RunLog(isQuiet: true))
    }
  }
}
