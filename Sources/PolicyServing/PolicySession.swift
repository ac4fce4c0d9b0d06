import DiffusionPolicies
import Media
import Tensors

/// A robot's way through its episodes: what it has observed, and what it is still to execute.
///
/// Observations and actions are treated as `PolicyEnvironment` does with normalization, history and
/// chunks, number for number, and the noise is that of `PolicyEvaluation`: by the same seed, episode
/// and observations, `attune policy evaluate` acts the same. A session is a value: a copy is where
/// the episode is now.
public struct PolicySession: Sendable {
  /// Decides the noise, with the episode and the decision's number in it.
  public private(set) var seed: UInt64
  /// The number of the episode.
  public private(set) var episode: Int
  /// How many decisions the episode has had.
  public private(set) var decisions = 0
  private let policy: ServedPolicy
  /// Normalized, oldest first: `[To, Do]`; empty until the episode's first observation.
  private var history: [Float] = []
  /// The images of these observations, oldest first, of each camera.
  private var images: [[Image]] = []
  /// What is still to be executed of the last decision, normalized, `Da` numbers each.
  private var pending: ArraySlice<Float> = []

  /// Starts with an episode's beginning.
  public init(_ policy: ServedPolicy, seed: UInt64, episode: Int = 0) {
    self.policy = policy
    self.seed = seed
    self.episode = episode
  }

  /// Begins the next episode, or that of a number; by another seed if one is given, whose episodes
  /// begin with 0.
  public mutating func reset(seed: UInt64? = nil, episode: Int? = nil) {
    self.episode = episode ?? (seed == nil ? self.episode &+ 1 : 0)
    self.seed = seed ?? self.seed
    decisions = 0
    history = []
    images = []
    pending = []
  }

  /// The action for an observation: the next one of the last decision, or the first of a new one.
  ///
  /// - Parameters:
  ///   - observation: `[Do]`, in the environment's units.
  ///   - images: one of each camera that the policy sees, by its name.
  /// - Returns: `[Da]`, in the environment's units.
  /// - Throws: `ServingError.observation`, or `brokenAction` if the policy gives what is no number; the
  ///   session stays as it was.
  public mutating func act(
    _ observation: [Float], images: [String: Image] = [:]
  ) throws -> [Float] {
    var next = self
    try next.observe(observation, images: images)
    if next.needsDecision { next.execute(policy.decide([next.decisionRequest])[0]) }
    let action = try next.takeAction()
    self = next
    return action
  }

  /// All actions of a new decision; what was left of the last one is dropped.
  ///
  /// - Parameters:
  ///   - observation: `[Do]`, in the environment's units.
  ///   - images: one of each camera that the policy sees, by its name.
  /// - Returns: `[Ta, Da]`, in the environment's units.
  /// - Throws: as `act`.
  public mutating func chunk(
    _ observation: [Float], images: [String: Image] = [:]
  ) throws -> [[Float]] {
    var next = self
    try next.observe(observation, images: images)
    next.execute(policy.decide([next.decisionRequest])[0])
    let actions = try next.takeActions()
    self = next
    return actions
  }

  /// Adds an observation that nothing is decided on: one between those of two chunks.
  ///
  /// - Throws: `ServingError.observation`.
  public mutating func observe(
    _ observation: [Float], images sent: [String: Image] = [:]
  ) throws {
    let size = policy.observationSize
    guard observation.count == size else {
      throw ServingError.observation(
        "the observation has \(observation.count) numbers, expected \(size)")
    }
    let normalized = policy.normalization.observations.normalized(observation)
    if let index = normalized.firstIndex(where: { !$0.isFinite }) {
      throw ServingError.observation(
        "observation[\(index)] is \(observation[index]), expected a finite number of the range that "
          + "the policy has learned from")
    }
    let newest = try newest(sent)
    if history.isEmpty {
      // The first observation stands for those that were never made.
      history = (0..<policy.observationSteps).flatMap { _ in normalized }
      images = newest.map { Array(repeating: $0, count: policy.observationSteps) }
    } else {
      history.removeFirst(size)
      history += normalized
      images = zip(images, newest).map { $0.dropFirst() + [$1] }
    }
  }

  /// An image of each camera.
  private func newest(_ images: [String: Image]) throws -> [Image] {
    guard images.count == policy.cameras.count else {
      let names = policy.cameras.map(\.name).joined(separator: ", ")
      throw ServingError.observation(
        "\(images.count) images, expected \(policy.cameras.isEmpty ? "none" : "those of \(names)")")
    }
    return try policy.cameras.map { camera in
      guard let image = images[camera.name],
        [image.height, image.width, image.channelCount] == camera.shape
      else {
        let found = images[camera.name].map { "what '\(camera.name)' has is a \($0)" }
        throw ServingError.observation(
          "\(found ?? "no image of '\(camera.name)'"), expected one of shape \(camera.shape)")
      }
      return image
    }
  }

  /// Whether there is nothing left to execute.
  var needsDecision: Bool { pending.isEmpty }

  /// What the next decision is made of; after at least one observation.
  var decisionRequest: DecisionRequest {
    precondition(!history.isEmpty, "a decision before any observation")
    return DecisionRequest(
      history: history, images: images,
      noise: PolicyEvaluation.noise(ofDecision: decisions, episode: episode, seed: seed))
  }

  /// Takes a decision: the executed part of a chunk, normalized, `[Ta, Da]` row-major.
  mutating func execute(_ chunk: [Float]) {
    pending = chunk[...]
    decisions += 1
  }

  /// The next action that is to be executed, in the environment's units.
  mutating func takeAction() throws -> [Float] {
    let action = try checked(Array(pending.prefix(policy.actionSize)))
    pending = pending.dropFirst(policy.actionSize)
    return action
  }

  /// All that are to be executed, in the environment's units.
  mutating func takeActions() throws -> [[Float]] {
    var actions: [[Float]] = []
    while !needsDecision { actions.append(try takeAction()) }
    return actions
  }

  private func checked(_ action: [Float]) throws -> [Float] {
    let action = policy.normalization.actions.denormalized(action)
    guard action.allSatisfy(\.isFinite) else {
      throw ServingError.brokenAction
    }
    return action
  }
}
