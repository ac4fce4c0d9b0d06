import Configuration
import DiffusionPolicies
import Foundation
import Runs
import Tensors

/// How a policy is evaluated while it is trained.
public struct EvaluationSettings: Settings {
  /// Iterations, or batches of a pretraining, between evaluations, of which one is at the end; 0 for
  /// none, not even at the end: `policy.safetensors` is then the last policy, or that of the minimum
  /// validation loss. A pretraining without an environment (`policy.environment.name: none`)
  /// evaluates the validation loss alone.
  @Setting(.notNegative) public var interval = 10
  /// Episodes of each.
  @Setting(1...100_000) public var episodes = 50
  /// Decides their starts and noise; the same every time.
  public var seed: UInt64 = 1_000_000
  /// Episodes that are recorded, before a fine-tuning and after every training, whether policies are
  /// evaluated or not; 0 for none.
  @Setting(0...1000) public var videoEpisodes = 1

  /// The defaults.
  public init() {}

  /// The defaults, with another interval.
  init(interval: Int) { self.interval = interval }

  /// Whether it is time after that iteration.
  func isDue(after iteration: Int, isLast: Bool) -> Bool {
    interval > 0 && (isLast || iteration.isMultiple(of: interval))
  }

  /// Where `video` writes, if anything is recorded.
  func videoPaths<Settings>(_ name: String, of run: Run<Settings>) -> [String] {
    videoEpisodes > 0 ? ["\(run.folder.videosPath)/\(name).mp4"] : []
  }

  /// Video a policy, `before` or `after` a training, in a run's folder. What cannot be drawn is no
  /// reason to lose a training.
  func video<Settings>(_ checkpoint: PolicyCheckpoint, _ name: String, of run: Run<Settings>) {
    guard videoEpisodes > 0, run.isWriting else { return }
    do {
      try PolicyVideo(evaluated: EvaluatedPolicy(checkpoint, path: run.folder.path, seed: seed))
        .write(to: "\(run.folder.videosPath)/\(name).mp4", episodeCount: videoEpisodes)
    } catch {
      run.log.warn("no video: \(error)")
    }
  }

  /// Plays the policy of a checkpoint, each process its part of the episodes.
  func evaluate(
    _ checkpoint: PolicyCheckpoint, over communicator: any Communicator = SingleProcess()
  ) throws -> EvaluationSummary {
    let environment = try PolicyEnvironment(
      checkpoint.configuration, normalization: checkpoint.normalization,
      cameras: checkpoint.cameras)
    let episodes = try PolicyEvaluation(environment, seed: seed)
      .play(try checkpoint.makeActingPolicy(), episodeCount: episodes, over: communicator)
    return EvaluationSummary(environment: checkpoint.configuration.environment.name, episodes)
  }
}

/// Keeps the best policy of a run as `policy.safetensors` in its folder.
package struct BestPolicy {
  /// Where it is.
  package let path: String
  /// Whether this process writes it.
  private let isWriting: Bool
  private var best: Double?
  private var measure: Measure?
  private static let key = "run.bestScore"
  private static let measureKey = "run.bestMeasure"

  /// What scores are of; those of different kinds cannot be compared.
  package enum Measure: String {
    /// Episodes in the environment.
    case evaluation
    /// The loss on held-out demonstrations, negated.
    case validationLoss
  }

  /// Goes on from what a checkpoint knew.
  package init(_ folder: String, resumed: Checkpoint?, isWriting: Bool = true) {
    path = "\(folder)/policy.safetensors"
    self.isWriting = isWriting
    best = resumed?.metadata[Self.key].flatMap(Double.init)
    // Older checkpoints knew evaluations only.
    measure = best.map { _ in
      resumed?.metadata[Self.measureKey].flatMap(Measure.init) ?? .evaluation
    }
  }

  /// Writes a policy if it is better than all before by the same measure, or if there is none any
  /// more.
  package mutating func offer(
    _ policy: PolicyCheckpoint, score: Double, of measure: Measure = .evaluation, iteration: Int
  ) throws {
    // Nothing would be better than a score that is no number.
    guard !score.isNaN else { return }
    if measure != self.measure { best = nil }
    guard best.map({ score > $0 }) ?? true || !exists else { return }
    best = score
    self.measure = measure
    try write(policy, iteration: iteration)
  }

  /// Writes a policy that nobody has evaluated, unless one that was evaluated is there.
  package func offer(unscored policy: PolicyCheckpoint, iteration: Int) throws {
    if best == nil || !exists { try write(policy, iteration: iteration) }
  }

  private var exists: Bool { FileManager.default.fileExists(atPath: path) }

  private func write(_ policy: PolicyCheckpoint, iteration: Int) throws {
    guard isWriting else { return }
    var policy = policy
    policy.origin["iteration"] = String(iteration)
    policy.precision = .current
    try policy.write(to: path)
  }

  /// Lets a later run know the best score.
  package func store(in checkpoint: inout Checkpoint) {
    guard let best, let measure else { return }
    checkpoint.metadata[Self.key] = String(best)
    checkpoint.metadata[Self.measureKey] = measure.rawValue
  }
}

extension EvaluationSummary {
  /// The numbers for a run's metrics.
  var metrics: [String: Double] {
    var metrics = [
      "evaluationReturn": meanReturn, "evaluationLength": meanLength,
      "evaluationStandardError": standardError,
    ]
    guard let successRate else { return metrics }
    metrics["evaluationSuccessRate"] = successRate
    // The best reward says something where it is how well the task was done.
    metrics["evaluationBestReward"] = bestRewardMean
    return metrics
  }

  /// By what policies are compared: where the task can be done, the best reward, which is the
  /// success rate if nothing else is rewarded and tells more if something is; else the return.
  var score: Double { successRate == nil ? meanReturn : bestRewardMean }

  /// A few words for a line.
  package var words: String {
    guard successRate != nil else { return returnWords }
    return "\(successWords), best reward \(bestRewardMean.short), \(returnWords)"
  }

  private var successWords: String { "success \(((successRate ?? 0) * 100).short)%" }

  private var returnWords: String {
    let error = episodes > 1 ? " +- \(standardError.short)" : ""
    return "return \(meanReturn.short)\(error)"
  }
}
