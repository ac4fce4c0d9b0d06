import Media
import Tensors
import Testing

@testable import Environments

extension VectorEnvironment {
  /// The states that the next actions are chosen from, row by row.
  fileprivate var seen: [Float] { observations.state.elements }
  /// The states that the last actions led to, row by row.
  fileprivate var reached: [Float] {
    finalObservations(of: Array(0..<count)).state.elements
  }
}

@Suite(.serialized) struct VectorEnvironmentTests {
  @Test(arguments: ["hopper", "push-t"])
  func workersDoNotMatter(name: String) throws {
    let threadCount = WorkerPool.shared.threadCount
    defer { WorkerPool.shared.threadCount = threadCount }
    let results = try [1, 8].map { workers in
      WorkerPool.shared.threadCount = workers
      return try rollOut(name, count: 10, stepCount: 40)
    }
    #expect(results[0] == results[1])
    #expect(name == "push-t" || !results[0].finished.isEmpty)
  }

  @Test func neighboursDoNotMatter() throws {
    let (few, many) = (
      try rollOut("hopper", count: 2, stepCount: 60), try rollOut("hopper", count: 7, stepCount: 60)
    )
    for (a, b) in zip(few.observations, many.observations) {
      #expect(a == Array(b.prefix(a.count)))
    }
    #expect(few.finished == many.finished.filter { $0.environment < 2 })
    // The last two of seven, in a vector of their own.
    let last = try rollOut("hopper", count: 2, firstNumber: 5, stepCount: 60)
    for (a, b) in zip(last.observations, many.observations) {
      #expect(a == Array(b.suffix(a.count)))
    }
    #expect(last.finished == many.finished.filter { $0.environment >= 5 })
    let first = few.observations[0]
    #expect(first.prefix(first.count / 2) != first.suffix(first.count / 2))
  }

  private struct Result: Equatable {
    var observations: [[UInt32]] = []
    var finished: [FinishedEpisode] = []
  }

  private func rollOut(
    _ name: String, count: Int, firstNumber: Int = 0, stepCount: Int
  ) throws -> Result {
    let vector = try LocalVectorEnvironment(count: count, seed: 3, firstNumber: firstNumber) {
      try EnvironmentRegistry.standard.make(name)
    }
    var result = Result()
    result.observations.append(vector.seen.map(\.bitPattern))
    for step in 0..<stepCount {
      // Each environment's actions depend on its index alone.
      let actions = (0..<count).flatMap {
        RandomActions(space: vector.actionSpace, seed: UInt64(firstNumber + $0))[step]
      }
      try vector.step(Tensor(shape: [count] + vector.actionSpace.shape, elements: actions))
      result.observations.append(vector.seen.map(\.bitPattern))
      result.finished += vector.finishedEpisodes
    }
    return result
  }

  /// A lost episode is no finished one, and the next one starts.
  @Test func lostEpisodesAreNotCounted() throws {
    let vector = try LocalVectorEnvironment(count: 2, seed: 0) {
      ActionChunks(LosingEnvironment(lastStep: 4, lostEpisode: 1), count: 2)
    }
    var (lost, finished) = (0, [FinishedEpisode]())
    for _ in 0..<8 {
      try vector.step(Tensor(repeating: 1, shape: [2, 2, 1]))
      lost += vector.outcomes.filter { $0.isLost && $0.isFinished }.count
      finished += vector.finishedEpisodes
      #expect(vector.seen.allSatisfy { $0.isFinite })
    }
    #expect(lost == 2)
    #expect(Set(finished.map(\.episode)).contains(0) && !finished.contains { $0.episode == 1 })
    #expect(finished.count == 6)
  }

  @Test func keepsTheFinalObservationAndStartsTheNextEpisode() throws {
    let vector = try LocalVectorEnvironment(count: 2, seed: 0) {
      ActionChunks(TimeLimit(CountingEnvironment(lastStep: 5), stepLimit: 4), count: 3)
    }
    #expect(vector.reached == vector.seen)
    let starts = vector.seen
    #expect(starts[0] == 0 && starts[1] != starts[3])
    try vector.step(Tensor(repeating: 1, shape: [2, 3, 1]))
    #expect(vector.outcomes.allSatisfy { $0 == StepOutcome(reward: 3) })
    #expect(vector.seen == [3, 1, 3, 1] && vector.finishedEpisodes.isEmpty)
    try vector.step(Tensor(repeating: 2, shape: [2, 3, 1]))
    #expect(vector.outcomes.allSatisfy { $0 == StepOutcome(reward: 2, isTruncated: true) })
    #expect(vector.reached == [4, 2, 4, 2])
    #expect(vector.seen[0] == 0 && vector.seen[1] != starts[1])
    #expect(vector.finishedEpisodes.map(\.environment) == [0, 1])
    #expect(vector.finishedEpisodes.map(\.episode) == [0, 0])
    #expect(vector.finishedEpisodes[0].statistics.totalReward == 5)
  }

  /// Not the first episodes again: a training that starts anew with every iteration would see
  /// nothing else.
  @Test func startsTheNextEpisodesWhenTold() throws {
    let vector = try LocalVectorEnvironment(count: 8, seed: 0) {
      try EnvironmentRegistry.standard.make("push-t")
    }
    var seen = Set([vector.seen])
    for _ in 0..<3 {
      try vector.startNextEpisodes()
      #expect(seen.insert(vector.seen).inserted)
      #expect(vector.reached == vector.seen)
    }
    // The same as those that come by themselves.
    let other = try LocalVectorEnvironment(count: 8, seed: 0) {
      TimeLimit(try EnvironmentRegistry.standard.make("push-t"), stepLimit: 1)
    }
    for _ in 0..<3 { try other.step(Tensor(repeating: 256, shape: [8, 2])) }
    #expect(other.seen == vector.seen)
  }

  @Test func aSavedVectorGoesOnBitByBit() throws {
    func make(seed: UInt64 = 5) throws -> LocalVectorEnvironment {
      try LocalVectorEnvironment(count: 4, seed: seed) {
        ActionChunks(
          ObservationHistory(try EnvironmentRegistry.standard.make("walker2d"), count: 2), count: 4)
      }
    }
    func play(_ vector: LocalVectorEnvironment, _ steps: Range<Int>) throws -> [[UInt32]] {
      try steps.map { step in
        let actions = (0..<4).flatMap {
          RandomActions(space: vector.actionSpace, seed: UInt64($0))[step]
        }
        try vector.step(Tensor(shape: [4, 4, 6], elements: actions))
        return vector.seen.map(\.bitPattern) + vector.outcomes.map(\.reward.bitPattern)
          + vector.finishedEpisodes.map { UInt32($0.statistics.stepCount) }
      }
    }
    let vector = try make()
    _ = try play(vector, 0..<15)
    let saved = try vector.savedStates()
    let first = try play(vector, 15..<40)
    let resumed = try make()
    try resumed.restore(saved)
    #expect(try play(resumed, 15..<40) == first)
    // As earlier versions saved it: one state of all.
    var whole = EnvironmentState()
    whole.appendTag("vector")
    whole.append(4)
    whole.append(UInt64(5))
    for environment in saved {
      // Without the tag, the seed and the number.
      for word in environment.words.dropFirst(3) { whole.append(word) }
    }
    let earlier = try make()
    try earlier.restore([whole])
    #expect(try play(earlier, 15..<40) == first)
    #expect(throws: EnvironmentError.self) { try earlier.restore(Array(saved.dropLast())) }
    #expect(throws: EnvironmentError.self) { try earlier.restore(saved.reversed()) }
    let other = try make(seed: 6)
    #expect(throws: EnvironmentError.self) { try other.restore(saved) }
    #expect(vector.observations.state.shape == [4, 2, 17])
  }

  @Test func brokenNumbersNeverReachTheObservations() throws {
    let vector = try LocalVectorEnvironment(count: 3, seed: 0) {
      let environment = CountingEnvironment()
      environment.brokenStep = 2
      return FiniteGuard(environment, warn: { _ in })
    }
    for step in 0..<6 {
      try vector.step(Tensor(repeating: Float(step), shape: [3, 1]))
      #expect(vector.seen.allSatisfy { $0.isFinite })
      #expect(vector.reached.allSatisfy { $0.isFinite })
      #expect(
        vector.outcomes.allSatisfy { $0.reward.isFinite && $0.isTerminated == (step % 2 == 1) })
    }
  }

  /// An environment that dies at a step of its own.
  private final class Mortal: EnvironmentWrapper {
    let base: any Environment
    private var remaining: Int
    private let index: Int
    init(_ index: Int, lifetime: Int) {
      (base, self.index, remaining) = (LineEnvironment(), index, lifetime)
    }

    func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
      remaining -= 1
      guard remaining >= 0 else {
        throw EnvironmentError.failed(
          environment: "mortal", doing: "step", reason: "number \(index) is dead")
      }
      return try base.step(action)
    }
  }

  /// Whatever worker meets an error first, that of the first environment is thrown.
  @Test func theFirstFailureIsThrown() throws {
    var made = 0
    let vector = try LocalVectorEnvironment(count: 6, seed: 0) {
      made += 1
      return Mortal(made - 1, lifetime: made > 2 ? 2 : 100)
    }
    let actions = Tensor(repeating: 0, shape: [6, 1])
    for _ in 0..<2 { try vector.step(actions) }
    let error = #expect(throws: EnvironmentError.self) { try vector.step(actions) }
    #expect(
      "\(try #require(error))" == "environment mortal failed while it was to step: number 2 is dead"
    )
  }

  /// A camera on a line: one bright pixel at the point's place.
  private final class Filmed: EnvironmentWrapper {
    let base: any Environment = LineEnvironment()
    let cameras = [Camera(name: "above", width: 16, height: 2, channelCount: 1)]

    func observeImages() throws -> [[Image]] {
      let column = min(max(Int(8 * (1 + observation[0])), 0), 15)
      return [
        [
          Image(width: 16, height: 2, channelCount: 1) { samples in
            samples.update(repeating: 0)
            samples[column] = 255
          }
        ]
      ]
    }
  }

  @Test func imagesBelongToTheirObservations() throws {
    let report = try EnvironmentChecker { FiniteGuard(Filmed()) }.run()
    #expect(report.problems.isEmpty, "\(report.problems)")

    func make() throws -> LocalVectorEnvironment {
      try LocalVectorEnvironment(count: 3, seed: 1) {
        ActionChunks(
          ObservationHistory(
            NormalizedEnvironment(Filmed(), observations: nil, actions: nil), count: 2),
          count: 3)
      }
    }
    func check(_ observations: Observations) throws {
      let images = try #require(observations.images["above"])
      #expect(observations.state.shape == [3, 2, 2] && images.shape == [3, 2, 2, 16, 1])
      let pixels = images.scaled()
      #expect(pixels.shape == images.shape)
      for row in 0..<3 {
        for step in 0..<2 {
          let place = observations.state[row][step][0].scalar
          let bright = pixels[row][step].elements.firstIndex(of: 1)
          #expect(bright == min(max(Int(8 * (1 + place)), 0), 15))
        }
      }
    }
    let vector = try make()
    try check(vector.observations)
    let actions = Tensor((0..<9).map { Float($0 % 3) - 1 }).reshaped(to: [3, 3, 1])
    for _ in 0..<6 {
      try vector.step(actions)
      try check(vector.observations)
      try check(vector.finalObservations(of: [0, 1, 2]))
    }
    let saved = try vector.savedStates()
    try vector.step(actions)
    let resumed = try make()
    try resumed.restore(saved)
    try check(resumed.observations)
    try resumed.step(actions)
    let (first, second) = (vector.observations, resumed.observations)
    #expect(first.images["above"]?.scaled().elements == second.images["above"]?.scaled().elements)
    let joined = Observations.concatenated([first, second]).gather([5, 0])
    #expect(
      joined.images["above"]?.scaled().elements.prefix(64)
        == first.slice(2..<3).images["above"]?.scaled().elements.prefix(64))
  }
}
