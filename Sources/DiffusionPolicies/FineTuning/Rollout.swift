import Configuration
import Environments
import Files
import NeuralNetworks
import Tensors

/// What `T` decisions in `B` environments brought; row t B + b is decision t of environment b.
struct Rollout {
  /// `T B` of them.
  var observations: Observations
  /// The states around the improved transitions, `[T B, K' + 1, Tp, Da]`.
  var states: Tensor
  /// Of each improved transition under the policy that made it, row-major `[T B, K']`.
  var logProbabilities: [Float]
  /// As the environments gave them, `[T B]`.
  var rewards: [Float]
  /// The observations that episodes ended with, and those after the last decisions, `E` of them.
  var finalObservations: Observations
  /// For each row, the row of `finalObservations` that it led to; nil where it led to row t + 1.
  var finalRows: [Int?]
  /// Whether the task itself ended.
  var isTerminated: [Bool]
  /// Whether the episode ended.
  var isFinished: [Bool]
  /// Whether a decision is its episode's first.
  var isFirst: [Bool]
  /// Whether the episode was lost in a decision, which nobody learns from; empty if none was.
  var isLost: [Bool] = []
  /// `B`
  let environmentCount: Int
  /// How often what environments live in was started anew; nil where they compute by themselves.
  var restarts: Int?
  /// The episodes that ended with each decision, by environment.
  var episodes: [[EpisodeStatistics]] = []

  /// The number of decisions, T B.
  var count: Int { rewards.count }

  /// The rows to learn from.
  var learnableRows: [Int] {
    isLost.contains(true) ? (0..<count).filter { !isLost[$0] } : Array(0..<count)
  }
}

extension Rollout {
  /// The rollout of all environments, of which each rank has brought those that it owns.
  ///
  /// - Throws: what the communicator throws.
  func gathered(over communicator: any Communicator) throws -> Rollout {
    guard communicator.processCount > 1 else { return self }
    let owned = try communicator.gatherValues(environmentCount)  // B of each rank
    let rolloutSteps = count / environmentCount
    /// `[T, B of the rank, ...]` of each rank as `[T, B, ...]`.
    func joined<Value>(_ parts: [[Value]]) -> [Value] {
      (0..<rolloutSteps).flatMap { decision in
        zip(parts, owned).flatMap { part, count in
          let size = part.count / rolloutSteps
          return part[decision * size..<(decision + 1) * size]
        }
      }
    }
    func gather(_ tensor: Tensor) throws -> Tensor {
      Tensor(
        shape: [rolloutSteps * owned.reduce(0, +)] + tensor.shape.dropFirst(),
        elements: joined(try communicator.gatherNumbers(tensor.elements)))
    }
    func gather(_ observations: Observations) throws -> Observations {
      var whole = Observations(
        try gather(observations.state),
        images: try observations.images.inOrder { images in
          CameraImages(
            images.camera, stepCount: images.stepCount,
            bytes: joined(try communicator.gather(images.bytes)))
        })
      whole.encoding = try observations.encoding.map(gather)
      return whole
    }
    func gather(_ flags: [Bool]) throws -> [Bool] {
      joined(try communicator.gather(flags.map { $0 ? 1 : 0 })).map { $0 == 1 }
    }
    let hasFinal = try gather(finalRows.map { $0 != nil })
    var finalCount = 0
    let finalRows = hasFinal.map { hasFinal -> Int? in
      guard hasFinal else { return nil }
      finalCount += 1
      return finalCount - 1
    }
    let episodes = try communicator.gatherValues(self.episodes)
    let restarts = try communicator.gatherValues(self.restarts).compactMap { $0 }
    return Rollout(
      observations: try gather(observations), states: try gather(states),
      logProbabilities: joined(try communicator.gatherNumbers(logProbabilities)),
      rewards: joined(try communicator.gatherNumbers(rewards)),
      finalObservations: try gatherFinal(hasFinal, owned, over: communicator),
      finalRows: finalRows, isTerminated: try gather(isTerminated),
      isFinished: try gather(isFinished), isFirst: try gather(isFirst),
      isLost: try gather(isLost), environmentCount: owned.reduce(0, +),
      restarts: restarts.isEmpty ? nil : restarts.reduce(0, +),
      episodes: (0..<rolloutSteps).map { decision in episodes.flatMap { $0[decision] } })
  }

  /// The final observations of all ranks, by decision, then by environment.
  private func gatherFinal(
    _ hasFinal: [Bool], _ owned: [Int], over communicator: any Communicator
  ) throws -> Observations {
    let ranks = owned.enumerated().flatMap { [Int](repeating: $0, count: $1) }
    /// Rows of `size` values.
    func ordered<Value>(_ parts: [[Value]], size: Int) -> [Value] {
      var next = [Int](repeating: 0, count: owned.count)
      var result: [Value] = []
      for (row, hasFinal) in hasFinal.enumerated() where hasFinal {
        let rank = ranks[row % ranks.count]
        result += parts[rank][next[rank]..<next[rank] + size]
        next[rank] += size
      }
      return result
    }
    func gather(_ tensor: Tensor) throws -> Tensor {
      let shape = Array(tensor.shape.dropFirst())
      let numbers = ordered(
        try communicator.gatherNumbers(tensor.elements), size: shape.reduce(1, *))
      return Tensor(shape: [numbers.count / shape.reduce(1, *)] + shape, elements: numbers)
    }
    var whole = Observations(
      try gather(finalObservations.state),
      images: try finalObservations.images.inOrder { images in
        CameraImages(
          images.camera, stepCount: images.stepCount,
          bytes: ordered(
            try communicator.gather(images.bytes), size: images.shape.dropFirst().reduce(1, *)))
      })
    whole.encoding = try finalObservations.encoding.map(gather)
    return whole
  }
}

extension [String: CameraImages] {
  /// The images of every camera, in the order of their names, in which all ranks take them.
  fileprivate func inOrder(
    _ transform: (CameraImages) throws -> CameraImages
  ) rethrows -> Self {
    var result: Self = [:]
    for (name, images) in sorted(by: { $0.key < $1.key }) {
      result[name] = try transform(images)
    }
    return result
  }
}

/// What a policy sees of images when it acts to learn, and what is kept of them for the update.
struct RolloutImages: Sendable {
  /// Varies them before the policy acts, so that the kept log-probabilities are those of the actions
  /// that were drawn; nil for images as the policy is evaluated with.
  var augmentation: ImageAugmentation?
  /// Whether somebody besides the policy reads them: a critic with an encoder of its own.
  var haveOtherReaders = true

  /// What the policy decides on. Where its encoder no longer learns, an image is encoded here and
  /// never again.
  func seen(
    of observations: Observations, by policy: some LikelihoodPolicy, streams: [RandomStream]
  ) -> Observations {
    kept(of: augmentation?(observations, streams: streams) ?? observations, by: policy)
  }

  /// What is kept of observations.
  func kept(of observations: Observations, by policy: some LikelihoodPolicy) -> Observations {
    guard let encoder = policy.frozenEncoder else { return observations }
    return observations.encoded(by: encoder, keepsImages: haveOtherReaders)
  }
}

/// Lets a policy act in environments side by side and keeps what an update needs. Each rank has a
/// part of the environments, whose numbers are global.
final class RolloutCollector {
  private let environments: any VectorEnvironment
  private let environmentName: String
  private let actionSteps: Int
  private let seed: UInt64
  /// The numbers of this rank's environments.
  private let own: Range<Int>
  private let communicator: any Communicator
  private let images: RolloutImages
  /// Whether the next decision of each environment is its episode's first.
  private var isFirst: [Bool]
  /// Restarts that rollouts have told.
  private var toldRestarts = 0

  /// - Parameters:
  ///   - environment: made `count` times.
  ///   - count: `B`, of all ranks together.
  ///   - seed: decides starts and noise.
  ///   - images: what the policy sees of images, and what is kept of them.
  ///   - communicator: shares the environments among ranks.
  /// - Throws: `ConfigurationError` if there are fewer environments than ranks; what making one
  ///   throws.
  init(
    _ environment: PolicyEnvironment, count: Int, seed: UInt64,
    images: RolloutImages = RolloutImages(), communicator: any Communicator = SingleProcess()
  ) throws {
    try ConfigurationError.require(
      count >= communicator.processCount, "environments", count,
      "at least the number of processes, \(communicator.processCount)")
    own = communicator.fraction(of: count)
    environments = try environment.makeVector(
      count: own.count, seed: seed, firstNumber: own.lowerBound)
    environmentName = environment.configuration.environment.name
    actionSteps = environment.configuration.actionSteps
    self.seed = seed
    self.images = images
    self.communicator = communicator
    isFirst = Array(repeating: true, count: own.count)
  }

  /// Abandons all episodes: the next decision of each environment is the first of another one.
  ///
  /// - Throws: what the environments throw.
  func startNextEpisodes() throws {
    try environments.startNextEpisodes()
    isFirst = Array(repeating: true, count: environments.count)
  }

  /// Makes `rolloutSteps` decisions in every environment, and gives those of all ranks; counts
  /// seconds of the policy as `sample`, of the environments as `simulate`.
  ///
  /// The noise of environment b at decision t depends on the seed, the iteration, b and t alone.
  ///
  /// - Throws: what environments and the communicator throw.
  func collect(
    _ policy: some LikelihoodPolicy, rolloutSteps: Int, iteration: Int,
    _ metrics: inout Metrics
  ) throws -> Rollout {
    let noise = own.map {
      RandomStream(seed: seed, purpose: "actions", index: $0).split(iteration)
    }
    var observations: [Observations] = []
    var states: [Tensor] = []
    var finalObservations: [Observations] = []
    var rollout = Rollout(
      observations: environments.observations, states: Tensor(0), logProbabilities: [],
      rewards: [], finalObservations: environments.observations, finalRows: [], isTerminated: [],
      isFinished: [], isFirst: [],
      environmentCount: own.count)
    for decision in 0..<rolloutSteps {
      let (observed, decisions) = metrics.measure("sample") {
        let observed = images.seen(
          of: environments.observations, by: policy,
          streams: noise.map { $0.split(decision, purpose: "augmentation") })
        let decisions = policy.decideInParallel(
          on: observed, mode: .exploring, streams: noise.map { $0.split(decision) })
        return (observed, decisions)
      }
      try metrics.measure("simulate") {
        try environments.step(decisions.chunks.slice(0..<actionSteps, along: 1))
      }
      observations.append(observed)
      states.append(decisions.states)
      rollout.logProbabilities += decisions.logProbabilities.elements
      rollout.isFirst += isFirst
      let isLast = decision == rolloutSteps - 1
      for (index, outcome) in environments.outcomes.enumerated() {
        rollout.rewards.append(outcome.reward)
        rollout.isTerminated.append(outcome.isTerminated)
        rollout.isFinished.append(outcome.isFinished)
        rollout.isLost.append(outcome.isLost)
        isFirst[index] = outcome.isFinished
        if outcome.isFinished || isLast {
          rollout.finalRows.append(finalObservations.count)
          finalObservations.append(environments.finalObservations(of: [index]))
        } else {
          rollout.finalRows.append(nil)
        }
      }
      rollout.episodes.append(environments.finishedEpisodes.map(\.statistics))
    }
    rollout.observations = .concatenated(observations)
    rollout.states = .concatenated(states, along: 0)
    rollout.finalObservations = metrics.measure("sample") {
      images.kept(of: .concatenated(finalObservations), by: policy)
    }
    rollout.restarts = environments.restartCount.map { $0 - toldRestarts }
    toldRestarts = environments.restartCount ?? 0
    return try rollout.gathered(over: communicator)
  }

  /// The environments' states and where their episodes stand, `[B]` of all ranks.
  struct State: Codable {
    var environments: [EnvironmentState]
    var isFirst: [Bool]
    /// Of what the environments compute with; nil where they are part of this program.
    var versions: [String: String]?
  }

  /// What the next rollout depends on, besides the policy: of all ranks, so that any number of them
  /// can go on from it.
  ///
  /// - Parameter withEpisodes: whether the next rollout goes on with the running episodes.
  /// - Throws: what the communicator throws, and what saving environments throws.
  func state(withEpisodes: Bool) throws -> State {
    let states = try communicator.gatherValues(
      State(
        environments: withEpisodes ? try environments.savedStates() : environments.savedPlaces(),
        isFirst: isFirst, versions: environments.versions.isEmpty ? nil : environments.versions))
    return State(
      environments: states.flatMap(\.environments), isFirst: states.flatMap(\.isFirst),
      versions: states[0].versions)
  }

  /// Tells that what environments compute with is not what it was when a run was saved.
  static func versionWarning(
    _ environment: String, saved: [String: String], now: [String: String]
  ) -> String? {
    let changes = Set(saved.keys).union(now.keys).sorted().compactMap { name -> String? in
      guard saved[name] != now[name] else { return nil }
      return "\(name) \(now[name] ?? "none") instead of \(saved[name] ?? "none")"
    }
    guard !changes.isEmpty else { return nil }
    return "environment \(environment) has \(changes.joined(separator: ", ")) since the run was "
      + "saved: it continues, but not bit for bit, and its results may not be comparable"
  }

  /// Where the state is without episodes, new ones have to be started.
  ///
  /// - Throws: `EnvironmentError.stateMismatch` if it is the state of others; `ConfigurationError` if
  ///   it is of an earlier version and cannot be shared among ranks.
  func restore(_ state: State) throws {
    // Before what may be the consequence.
    if let saved = state.versions,
      let warning = Self.versionWarning(environmentName, saved: saved, now: environments.versions)
    {
      EnvironmentWarnings.print(warning.printable)
    }
    // Earlier versions saved one state of all environments.
    let isWhole = state.environments.count == state.isFirst.count
    try ConfigurationError.require(
      isWhole || communicator.processCount == 1, "processes", communicator.processCount,
      "1, until the first checkpoint of this version: an earlier one saved the run")
    try environments.restore(isWhole ? Array(state.environments[own]) : state.environments)
    isFirst = Array(state.isFirst[own])
  }
}

extension RolloutCollector.State {
  private enum CodingKeys: CodingKey { case environments, isFirst, versions }

  /// Reads also what earlier versions wrote: one state of all environments.
  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    do {
      environments = try container.decode([EnvironmentState].self, forKey: .environments)
    } catch DecodingError.typeMismatch {
      environments = [try container.decode(EnvironmentState.self, forKey: .environments)]
    }
    isFirst = try container.decode([Bool].self, forKey: .isFirst)
    versions = try container.decodeIfPresent([String: String].self, forKey: .versions)
  }
}
