import DiffusionPolicies
import Environments
import Media
import Tensors
import Testing

@testable import PolicyServing

/// A session against the environment that a policy is evaluated in.
struct PolicySessionTests {
  /// Plays an episode by an evaluation, then once more by a session that drives the bare environment:
  /// one bit of an action would lead elsewhere.
  private func expectSameEpisode(
    _ checkpoint: PolicyCheckpoint, episode: Int, seed: UInt64 = 1_000_000
  ) throws {
    let environment = try PolicyEnvironment(
      checkpoint.configuration, normalization: checkpoint.normalization,
      cameras: checkpoint.cameras)
    let evaluation = PolicyEvaluation(environment, seed: seed)
    var expected: [[Float]] = []
    var rewards: [Float] = []
    try evaluation.show(checkpoint.makePolicy(), episode: episode) { environment, outcome in
      expected.append(environment.observation)
      if let outcome { rewards.append(outcome.reward) }
    }

    let bare = try checkpoint.configuration.environment.make()
    func images() throws -> [String: Image] {
      let images = bare.cameras.isEmpty ? [] : try bare.observeImages().map { $0[0] }
      return Dictionary(uniqueKeysWithValues: zip(bare.cameras.map(\.name), images))
    }
    try bare.reset(seed: evaluation.startSeed(ofEpisode: episode))
    var session = PolicySession(
      try ServedPolicy(checkpoint, name: "policy"), seed: seed, episode: episode)
    var found = [bare.observation]
    for reward in rewards {
      let action = try session.act(bare.observation, images: images())
      let outcome = try action.withUnsafeBufferPointer { try bare.step($0) }
      #expect(outcome.reward == reward)
      found.append(bare.observation)
      if outcome.isFinished { break }
    }
    #expect(found == expected)
    #expect(found.count > 5)
  }

  @Test func hopperIsPlayedAsByEvaluation() throws {
    try expectSameEpisode(ServedPolicies.hopperCheckpoint(), episode: 0)
    try expectSameEpisode(ServedPolicies.hopperCheckpoint(), episode: 3, seed: 7)
  }

  /// Three observations a decision, two actions of four: the episode ends within a chunk or not.
  /// Policies of one step; a mixture draws its modes by the same numbers.
  @Test(arguments: [NetworkConfiguration.Kind.gaussian, .gmm])
  func policiesOfOneStepArePlayedAsByEvaluation(_ kind: NetworkConfiguration.Kind) throws {
    let checkpoint = try ServedPolicies.smallCheckpoint(kind: kind)
    try expectSameEpisode(checkpoint, episode: 1)
    let description = try ServedPolicy(checkpoint, name: "policy").description
    #expect(description.network == kind.rawValue && description.denoisingSteps == 1)
  }

  @Test func historiesAreThoseOfEvaluation() throws {
    for episode in 0..<3 {
      try expectSameEpisode(ServedPolicies.smallCheckpoint(), episode: episode)
    }
  }

  /// Images have a history too.
  @Test func imagesAreSeenAsByEvaluation() throws {
    for episode in 0..<2 {
      try expectSameEpisode(ServedPolicies.pixelCheckpoint(), episode: episode)
    }
  }

  /// The images matter, and those of another size or camera are refused.
  @Test func imagesOfASessionAreChecked() throws {
    let policy = try ServedPolicy(ServedPolicies.pixelCheckpoint(), name: "pixels")
    let black = Image(width: 24, height: 24, filledWith: .black)
    let white = Image(width: 24, height: 24, filledWith: .white)
    func action(_ image: Image, seed: UInt64 = 1) throws -> [Float] {
      var session = PolicySession(policy, seed: seed)
      return try session.act([200, 300], images: ["image": image])
    }
    // An action at its bounds may stay there.
    let differs = try (0..<8).contains { try action(black, seed: $0) != action(white, seed: $0) }
    #expect(differs)
    var session = PolicySession(policy, seed: 1)
    let small = Image(width: 23, height: 24, filledWith: .black)
    for (images, words) in [
      ([:], "0 images, expected those of image"),
      (["other": black], "no image of 'image', expected one of shape [24, 24, 3]"),
      (
        ["image": small], "what 'image' has is a 23x24 RGB image, expected one of shape [24, 24, 3]"
      ),
      (["image": black, "other": black], "2 images, expected those of image"),
    ] {
      let error = #expect(throws: ServingError.self) {
        try session.act([200, 300], images: images)
      }
      #expect(error.map { "\($0)" } == words)
    }
    #expect(try session.act([200, 300], images: ["image": black]) == action(black))
    var blind = PolicySession(try ServedPolicies.small(), seed: 1)
    let error = #expect(throws: ServingError.self) {
      try blind.act(ServedPolicies.observations(1)[0], images: ["image": black])
    }
    #expect(error.map { "\($0)" } == "1 images, expected none")
  }

  @Test func chunksAreTheActions() throws {
    let policy = try ServedPolicies.small()
    let observations = ServedPolicies.observations(8)
    var (single, whole) = (PolicySession(policy, seed: 2), PolicySession(policy, seed: 2))
    for start in stride(from: 0, to: observations.count, by: 2) {
      let actions = try observations[start..<start + 2].map { try single.act($0) }
      #expect(try whole.chunk(observations[start]) == actions)
      try whole.observe(observations[start + 1])
    }
    #expect(single.decisions == 4 && whole.decisions == 4)
  }

  /// What was left of a chunk is not executed after a new one.
  @Test func chunksReplaceWhatIsLeft() throws {
    let policy = try ServedPolicies.small()
    let observations = ServedPolicies.observations(3)
    var session = PolicySession(policy, seed: 2)
    _ = try session.act(observations[0])
    _ = try session.chunk(observations[1])
    _ = try session.act(observations[2])
    #expect(session.decisions == 3)
  }

  @Test func episodesAndSeedsDiffer() throws {
    let policy = try ServedPolicies.small()
    let observation = ServedPolicies.observations(1)[0]
    var session = PolicySession(policy, seed: 2)
    let first = try session.act(observation)
    session.reset()
    #expect(session.episode == 1 && session.seed == 2 && session.decisions == 0)
    let second = try session.act(observation)
    session.reset(episode: 0)
    let again = try session.act(observation)
    session.reset(seed: 3)
    #expect(session.episode == 0)
    let other = try session.act(observation)
    #expect(first != second && first == again && first != other)
  }

  /// Neither history nor chunk of the episode before.
  @Test func resetsForget() throws {
    let policy = try ServedPolicies.small()
    let observations = ServedPolicies.observations(4)
    var session = PolicySession(policy, seed: 2)
    for observation in observations.prefix(3) { _ = try session.act(observation) }
    session.reset(episode: 5)
    var fresh = PolicySession(policy, seed: 2, episode: 5)
    #expect(try session.act(observations[3]) == fresh.act(observations[3]))
  }

  @Test(arguments: [
    ([Float](repeating: 0, count: 10), "the observation has 10 numbers, expected 11"),
    ([Float](repeating: 0, count: 10) + [.nan], "observation[10] is nan"),
    ([-.infinity] + [Float](repeating: 0, count: 10), "observation[0] is -inf"),
    // Finite, but not when it is normalized.
    ([Float](repeating: 3e38, count: 11), "observation[0] is 3e+38"),
  ])
  func wrongObservationsChangeNothing(_ observation: [Float], _ message: String) throws {
    let policy = try ServedPolicies.small()
    let observations = ServedPolicies.observations(2)
    var (session, other) = (PolicySession(policy, seed: 2), PolicySession(policy, seed: 2))
    #expect(try session.act(observations[0]) == other.act(observations[0]))
    do {
      _ = try session.act(observation)
      Issue.record("taken: \(observation)")
    } catch {
      #expect("\(error)".hasPrefix(message))
    }
    #expect(try session.act(observations[1]) == other.act(observations[1]))
  }

  /// Whoever is decided for at the same time does not matter.
  @Test func batchesDoNotMix() async throws {
    let policy = try ServedPolicy(ServedPolicies.hopperCheckpoint(), name: "hopper")
    let queue = DecisionQueue(policy, maxBatchSize: 5)
    let requests = ServedPolicies.observations(24).enumerated().map { index, observation in
      DecisionRequest(
        history: observation, noise: RandomStream(seed: 4, purpose: "test", index: index))
    }
    let alone = requests.map { policy.decide([$0])[0] }
    let together = await withTaskGroup(of: (Int, [Float]).self) { group in
      for (index, request) in requests.enumerated() {
        group.addTask { (index, await queue.decide(request)) }
      }
      return await group.reduce(into: [Int: [Float]]()) { $0[$1.0] = $1.1 }
    }
    for (index, chunk) in alone.enumerated() { #expect(together[index] == chunk) }
    #expect(queue.counts.decisions == 24)
    #expect((5...24).contains(queue.counts.batches))
    #expect(policy.decide(requests) == alone)
  }

  @Test func brokenPoliciesAreTold() throws {
    var checkpoint = try ServedPolicies.smallCheckpoint()
    checkpoint.weights = checkpoint.weights.mapValues { $0 * Float.nan }
    var session = PolicySession(try ServedPolicy(checkpoint, name: "broken"), seed: 0)
    #expect(throws: ServingError.brokenAction) {
      try session.act(ServedPolicies.observations(1)[0])
    }
  }

  @Test func descriptionTellsSizesAndBounds() throws {
    let description = try ServedPolicies.small().description
    #expect(description.checkpoint == "small.safetensors" && description.environment == "hopper")
    #expect(description.observationSize == 11 && description.actionSize == 3)
    #expect(description.observationSteps == 3 && description.horizonSteps == 4)
    #expect(description.actionSteps == 2 && description.denoisingSteps == 5)
    #expect(description.actionMinimum == [-1, -0.5, -0.9])
    #expect(zip(description.actionMaximum, [1, 0.7, 0.3]).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(description.origin == ["from": "a test"])
  }
}
