import DiffusionPolicies
import Foundation
import Tensors

/// Whole iterations of DPPO at the reference's Hopper setting, with their parts.
struct DPPOIteration {
  private let training: any PolicyTrainer
  private let rolloutSteps: Int
  private var stepCount = 0
  private var episodeCount = 0

  init(rolloutSteps: Int) throws {
    var configuration = DPPOHopper.configuration
    configuration.rolloutSteps = rolloutSteps
    self.rolloutSteps = rolloutSteps * configuration.environments
    training = try PolicyAlgorithmRegistry.standard.trainer(
      PolicyTrainingStart(
        try DPPOHopper.makeCheckpoint(seed: 42), configuration: configuration, seed: 42))
  }

  /// Seconds of one iteration and its parts, and what it did, as JSON; counts of steps and episodes
  /// are those of finished episodes so far.
  mutating func run() throws -> String {
    let begin = ContinuousClock.now
    let metrics = try training.iterate()
    let total = (ContinuousClock.now - begin) / .seconds(1)
    episodeCount += training.finishedEpisodes.count
    stepCount += training.finishedEpisodes.reduce(0) { $0 + $1.stepCount }
    return """
      {"simulate": \(metrics.seconds["simulate"] ?? 0), "sample": \(metrics.seconds["sample"] ?? 0), \
      "update": \(metrics.seconds["update"] ?? 0), "total": \(total), \
      "minibatches": \(Int(metrics["minibatches"] ?? 0)), "decisions": \(rolloutSteps), \
      "steps": \(stepCount), "episodes": \(episodeCount), "peakMB": \(Self.peakMegabytes)}
      """
  }

  private static var peakMegabytes: Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss / 1024  // Linux counts it in KiB
  }

  /// `dppo-iteration [decisions]`: one iteration for each line of standard input.
  static func serve(rolloutSteps: Int) throws {
    var iteration = try DPPOIteration(rolloutSteps: rolloutSteps)
    while readLine() != nil {
      FileHandle.standardOutput.write(Data((try iteration.run() + "\n").utf8))
    }
  }
}
