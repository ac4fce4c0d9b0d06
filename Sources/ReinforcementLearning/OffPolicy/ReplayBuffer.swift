import NeuralNetworks
import Tensors

/// What `B` environments did with a decision each; rows of arrays are environments.
public struct ReplayStep: Sendable {
  /// What the decisions were made on, `[B, O]`.
  public var observations: [Float]
  /// What was decided, `[B, A]`.
  public var actions: [Float]
  /// What each decision earned, `[B]`.
  public var rewards: [Float]
  /// How many steps of its environment each took, `[B]`.
  public var stepCounts: [Int]
  /// Whether the task itself ended, `[B]`.
  public var isTerminated: [Bool]
  /// Whether the episode ended, for whatever reason, `[B]`.
  public var isFinished: [Bool]
  /// Whether the episode was lost in the decision, which nobody learns from, `[B]`.
  public var isLost: [Bool]
  /// What the decisions led to, never the next episode's first observation, `[B, O]`.
  public var reached: [Float]

  /// Takes the parts, which have a row for each environment.
  public init(
    observations: [Float], actions: [Float], rewards: [Float], stepCounts: [Int],
    isTerminated: [Bool], isFinished: [Bool], isLost: [Bool], reached: [Float]
  ) {
    self.observations = observations
    self.actions = actions
    self.rewards = rewards
    self.stepCounts = stepCounts
    self.isTerminated = isTerminated
    self.isFinished = isFinished
    self.isLost = isLost
    self.reached = reached
  }
}

/// Transitions to learn from off policy.
public struct ReplayBatch: Sendable {
  /// `[N, O]`
  public var observations: Tensor
  /// `[N, A]`
  public var actions: Tensor
  /// Discounted rewards up to what was reached, `[N]`.
  public var rewards: Tensor
  /// What the value of `nextObservations` is multiplied by in a target, 0 where the task ended, `[N]`.
  public var discounts: Tensor
  /// What was reached, `[N, O]`.
  public var nextObservations: Tensor

  /// Transitions of these parts.
  public init(
    observations: Tensor, actions: Tensor, rewards: Tensor, discounts: Tensor,
    nextObservations: Tensor
  ) {
    self.observations = observations
    self.actions = actions
    self.rewards = rewards
    self.discounts = discounts
    self.nextObservations = nextObservations
  }

  /// The number of transitions, N.
  public var count: Int { rewards.count }

  /// The transitions of one batch after those of another.
  public func joined(with other: ReplayBatch) -> ReplayBatch {
    func join(_ part: KeyPath<ReplayBatch, Tensor>) -> Tensor {
      .concatenated([self[keyPath: part], other[keyPath: part]], along: 0)
    }
    return ReplayBatch(
      observations: join(\.observations), actions: join(\.actions), rewards: join(\.rewards),
      discounts: join(\.discounts), nextObservations: join(\.nextObservations))
  }
}

/// How rewards of several decisions become one number and what is left for the value after them.
public struct ReplayReturns: Sendable, Hashable {
  /// Decisions whose rewards are taken before the value is.
  public var decisions: Int
  /// gamma
  public var gamma: Double
  /// Whether gamma is of a step of the environment, not of a decision.
  public var isPerStep: Bool

  /// One decision, unless told otherwise.
  public init(decisions: Int = 1, gamma: Double, isPerStep: Bool = false) {
    precondition(decisions > 0, "returns of \(decisions) decisions")
    self.decisions = decisions
    self.gamma = gamma
    self.isPerStep = isPerStep
  }
}

/// The latest decisions of `B` environments, as a ring: what off-policy methods draw from.
///
/// What a decision led to is the observation of the environment's next one, and is kept by itself only
/// where an episode ended. Returns over several decisions are made when a batch is, so that their number
/// is a setting and not a property of what is stored.
public struct ReplayBuffer: Sendable {
  /// `O`
  public let observationSize: Int
  /// `A`
  public let actionSize: Int
  /// `B`
  public let environmentCount: Int
  /// The decisions of each environment that are kept.
  public let rowCapacity: Int
  /// The decisions of each environment that are there.
  public private(set) var rowCount = 0
  /// Those of all environments that can be learned from.
  public private(set) var learnableCount = 0

  private var observations: [Float] = []
  private var actions: [Float] = []
  private var rewards: [Float] = []
  private var stepCounts: [Int32] = []
  private var flags: [UInt8] = []
  /// What episodes ended with, by slot.
  private var finals: [Int: [Float]] = [:]
  /// What the newest decisions led to, `[B, O]`.
  private var latest: [Float] = []
  /// The row that is written next.
  private var nextRow = 0

  private enum Flag {
    static let terminated: UInt8 = 1
    static let finished: UInt8 = 2
    static let lost: UInt8 = 4
  }

  /// - Parameters:
  ///   - observationSize: `O`
  ///   - actionSize: `A`
  ///   - environmentCount: `B`
  ///   - capacity: decisions of all environments that are kept; at least two of each.
  public init(observationSize: Int, actionSize: Int, environmentCount: Int, capacity: Int) {
    precondition(
      observationSize > 0 && actionSize > 0 && environmentCount > 0,
      "a buffer of \(environmentCount) environments with \((observationSize, actionSize)) numbers")
    self.observationSize = observationSize
    self.actionSize = actionSize
    self.environmentCount = environmentCount
    rowCapacity = max(2, capacity / environmentCount)
  }

  /// The slots of all decisions that are there; a slot is a row of the ring and an environment.
  public var slotCount: Int { rowCount * environmentCount }

  private var newestRow: Int { (nextRow + rowCapacity - 1) % rowCapacity }

  /// Adds a decision of every environment, and forgets the oldest one where there is no room.
  ///
  /// An observation that is not what the decision before it led to belongs to another episode, which
  /// has then ended as by a time-out: that of an environment that was reset in between.
  ///
  /// - Returns: the slots that were written, by environment.
  @discardableResult
  public mutating func append(_ step: ReplayStep) -> Range<Int> {
    precondition(
      step.rewards.count == environmentCount
        && step.observations.count == environmentCount * observationSize
        && step.reached.count == step.observations.count
        && step.actions.count == environmentCount * actionSize,
      "a step of \(step.rewards.count) environments, \(step.observations.count) observed and "
        + "\(step.actions.count) decided numbers")
    if rowCount > 0 { endEpisodes(before: step) }
    let isGrowing = rowCount < rowCapacity
    let first = nextRow * environmentCount
    if !isGrowing { forgetRow(nextRow) }
    func write<Number>(_ new: [Number], into array: inout [Number], width: Int) {
      if isGrowing {
        array += new
      } else {
        array.replaceSubrange(first * width..<(first + environmentCount) * width, with: new)
      }
    }
    write(step.observations, into: &observations, width: observationSize)
    write(step.actions, into: &actions, width: actionSize)
    write(step.rewards, into: &rewards, width: 1)
    write(step.stepCounts.map(Int32.init), into: &stepCounts, width: 1)
    let newFlags = (0..<environmentCount).map { index -> UInt8 in
      (step.isTerminated[index] ? Flag.terminated : 0)
        | (step.isFinished[index] || step.isTerminated[index] || step.isLost[index]
          ? Flag.finished : 0) | (step.isLost[index] ? Flag.lost : 0)
    }
    write(newFlags, into: &flags, width: 1)
    latest = step.reached
    for index in 0..<environmentCount where newFlags[index] & Flag.finished != 0 {
      finals[first + index] = reachedLatest(index)
    }
    learnableCount += newFlags.count { $0 & Flag.lost == 0 }
    nextRow = (nextRow + 1) % rowCapacity
    rowCount = min(rowCount + 1, rowCapacity)
    return first..<first + environmentCount
  }

  /// Ends all episodes that run, as by a time-out: others follow.
  public mutating func endEpisodes() {
    guard rowCount > 0 else { return }
    for index in 0..<environmentCount { endEpisode(of: index) }
  }

  private mutating func endEpisode(of environment: Int) {
    let slot = newestRow * environmentCount + environment
    guard flags[slot] & Flag.finished == 0 else { return }
    flags[slot] |= Flag.finished
    finals[slot] = reachedLatest(environment)
  }

  /// Ends the episodes that do not go on with a step.
  private mutating func endEpisodes(before step: ReplayStep) {
    for index in 0..<environmentCount {
      let range = index * observationSize..<(index + 1) * observationSize
      if step.isLost[index] || latest[range] != step.observations[range] {
        endEpisode(of: index)
      }
    }
  }

  private mutating func forgetRow(_ row: Int) {
    for slot in row * environmentCount..<(row + 1) * environmentCount {
      finals[slot] = nil
      if flags[slot] & Flag.lost == 0 { learnableCount -= 1 }
    }
  }

  private func reachedLatest(_ environment: Int) -> [Float] {
    Array(latest[environment * observationSize..<(environment + 1) * observationSize])
  }

  /// All slots, the oldest row first; those of a row are of one decision.
  public var slotsInOrder: [Int] {
    let oldest = rowCount < rowCapacity ? 0 : nextRow
    return (0..<rowCount).flatMap { row in
      let first = (oldest + row) % rowCapacity * environmentCount
      return first..<first + environmentCount
    }
  }

  /// Whether the episode ended with the decision in a slot.
  public func isFinished(_ slot: Int) -> Bool { flags[slot] & Flag.finished != 0 }

  /// Whether the episode was lost in the decision in a slot.
  public func isLost(_ slot: Int) -> Bool { flags[slot] & Flag.lost != 0 }

  /// Slots drawn uniformly, with replacement, from those that can be learned from.
  public func draw(_ count: Int, random: inout RandomStream) -> [Int] {
    precondition(learnableCount > 0, "nothing to draw from")
    return (0..<count).map { _ in
      var slot = random.integer(below: slotCount)
      while flags[slot] & Flag.lost != 0 { slot = random.integer(below: slotCount) }
      return slot
    }
  }

  /// The transitions of some slots.
  public func batch(_ slots: [Int], _ returns: ReplayReturns) -> ReplayBatch {
    var nextObservations: [Float] = []
    nextObservations.reserveCapacity(slots.count * observationSize)
    var (sums, discounts) = ([Float](), [Float]())
    for slot in slots {
      let (sum, discount, last) = self.returns(from: slot, returns)
      sums.append(sum)
      discounts.append(discount)
      appendReached(from: last, to: &nextObservations)
    }
    return ReplayBatch(
      observations: gather(observations, slots, width: observationSize),
      actions: gather(actions, slots, width: actionSize), rewards: Tensor(sums),
      discounts: Tensor(discounts),
      nextObservations: Tensor(
        shape: [slots.count, observationSize], elements: nextObservations))
  }

  /// sum_j gamma^{M_j} R_j up to the first end, the newest decision or the last of n, gamma^{M_n} unless the
  /// task ended there, and the slot of the last decision; M_j counts what came before.
  private func returns(
    from slot: Int, _ returns: ReplayReturns
  ) -> (sum: Float, discount: Float, last: Int) {
    var (slot, sum, discount) = (slot, 0.0, 1.0)
    for position in 1...returns.decisions {
      sum += discount * Double(rewards[slot])
      let steps = returns.isPerStep ? Int(stepCounts[slot]) : 1
      for _ in 0..<steps { discount *= returns.gamma }
      let row = slot / environmentCount
      if flags[slot] & Flag.finished != 0 || row == newestRow || position == returns.decisions {
        break
      }
      slot = (row + 1) % rowCapacity * environmentCount + slot % environmentCount
    }
    let isTerminated = flags[slot] & Flag.terminated != 0
    return (Float(sum), isTerminated ? 0 : Float(discount), slot)
  }

  private func appendReached(from slot: Int, to result: inout [Float]) {
    if let final = finals[slot] {
      result += final
      return
    }
    let (row, environment) = (slot / environmentCount, slot % environmentCount)
    if row == newestRow {
      result += reachedLatest(environment)
    } else {
      let next = (row + 1) % rowCapacity * environmentCount + environment
      result += observations[next * observationSize..<(next + 1) * observationSize]
    }
  }

  private func gather(_ array: [Float], _ slots: [Int], width: Int) -> Tensor {
    Tensor(shape: [slots.count, width]) { result in
      array.withUnsafeBufferPointer { array in
        for (row, slot) in slots.enumerated() {
          for column in 0..<width { result[row * width + column] = array[slot * width + column] }
        }
      }
    }
  }
}

extension ReplayBuffer {
  /// All of it, to go on exactly.
  public var state: TrainingState {
    var state = TrainingState()
    func add(_ name: String, _ elements: [Float], width: Int) {
      let count = elements.count / width
      state.tensors[name] = Tensor(shape: [count, width], elements: elements)
    }
    add("observations", observations, width: observationSize)
    add("actions", actions, width: actionSize)
    add("rewards", rewards, width: 1)
    add("stepCounts", stepCounts.map(Float.init), width: 1)
    add("flags", flags.map(Float.init), width: 1)
    add("finals", finals.sorted { $0.key < $1.key }.flatMap(\.value), width: observationSize)
    add("latest", latest, width: observationSize)
    state.numbers["rowCount"] = rowCount
    state.numbers["nextRow"] = nextRow
    return state
  }

  /// Goes on from a saved state.
  ///
  /// - Throws: `ParameterError` if it is that of another buffer.
  public mutating func restore(_ state: TrainingState) throws {
    let rowCount = try state.number("rowCount")
    let slotCount = rowCount * environmentCount
    func take(_ name: String, rows: Int, width: Int) throws -> [Float] {
      guard let tensor = state.tensors[name] else {
        throw ParameterError.missing(name: name, nearest: nil)
      }
      guard tensor.shape == [rows, width] else {
        throw ParameterError.shape(name: name, found: tensor.shape, expected: [rows, width])
      }
      return tensor.elements
    }
    guard rowCount <= rowCapacity else {
      throw ParameterError.shape(name: "rowCount", found: [rowCount], expected: [rowCapacity])
    }
    var restored = self
    restored.observations = try take("observations", rows: slotCount, width: observationSize)
    restored.actions = try take("actions", rows: slotCount, width: actionSize)
    restored.rewards = try take("rewards", rows: slotCount, width: 1)
    restored.stepCounts = try take("stepCounts", rows: slotCount, width: 1).map { Int32($0) }
    restored.flags = try take("flags", rows: slotCount, width: 1).map { UInt8($0) }
    let ended = restored.flags.indices.filter { restored.flags[$0] & Flag.finished != 0 }
    let finals = try take("finals", rows: ended.count, width: observationSize)
    restored.finals = Dictionary(
      uniqueKeysWithValues: ended.enumerated().map { place, slot in
        (slot, Array(finals[place * observationSize..<(place + 1) * observationSize]))
      })
    restored.latest = try take(
      "latest", rows: rowCount > 0 ? environmentCount : 0, width: observationSize)
    restored.rowCount = rowCount
    restored.nextRow = try state.number("nextRow")
    restored.learnableCount = restored.flags.count { $0 & Flag.lost == 0 }
    self = restored
  }
}
