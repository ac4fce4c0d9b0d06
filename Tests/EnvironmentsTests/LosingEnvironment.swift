import Environments

/// A counting environment one of whose episodes is lost at its second step, with an observation that
/// is none.
final class LosingEnvironment: EnvironmentWrapper {
  let base: any Environment
  private let lostEpisode: Int
  private var episode = -1
  private var stepCount = 0
  private var isLost = false

  init(lastStep: Int, lostEpisode: Int) {
    base = CountingEnvironment(lastStep: lastStep)
    self.lostEpisode = lostEpisode
  }

  func reset(_ start: EpisodeStart) throws {
    (episode, stepCount, isLost) = (episode + 1, 0, false)
    try base.reset(start)
  }

  func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
    stepCount += 1
    isLost = episode == lostEpisode && stepCount == 2
    return isLost ? .lost : try base.step(action)
  }

  func observe(into observation: UnsafeMutableBufferPointer<Float>) {
    base.observe(into: observation)
    if isLost { observation[0] = .nan }
  }
}
