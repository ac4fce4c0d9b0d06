import ArgumentParser
import DiffusionPolicies
import Environments
import Files
import Foundation
import Media
import ReinforcementLearning
import Runs
import Tensors
import Training

/// `attune policy evaluate --checkpoint FILE [--environment NAME] [key=value ...] [--episodes 50]
/// [--video out.mp4]`
struct PolicyEvaluateCommand: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Evaluate a policy, or compare two, on fixed seeds.",
    discussion: """
      The environment is that of the checkpoint, with its parameters; key=value sets others.

      Examples:
        attune policy evaluate \\
          --checkpoint checkpoints/push-t-finetuned.safetensors
        attune policy evaluate --checkpoint runs/finetune/policy.safetensors \\
          --episodes 100 --video episodes.mp4 --json
        attune policy evaluate --checkpoint runs/finetune/policy.safetensors \\
          --against checkpoints/push-t-pretrained.safetensors \\
          --video side-by-side.mp4
        attune policy evaluate --checkpoint runs/finetune/policy.safetensors \\
          timeLimit=500
        attune policy evaluate --checkpoint runs/idql/policy.safetensors \\
          --best-of 32
      """)

  @Option(
    help: "The policy: a checkpoint of pretrain, finetune or import.",
    completion: .file(extensions: ["safetensors"]))
  var checkpoint: String

  @Option(
    help: """
      Another policy to play the same episodes, and to show on the left of the video, \
      the first policy on the right.
      """,
    completion: .file(extensions: ["safetensors"]))
  var against: String?

  @Option(
    help: "The environment, if it is not that of the checkpoint.",
    completion: .list(EnvironmentRegistry.standard.entries.map(\.name)))
  var environment: String?

  @Option(
    help: """
      The number of chunks that a decision draws, of which it executes the one of the greatest Q; \
      as in training unless given. Not for the policy of --against.
      """)
  var bestOf: Int?

  @Option(help: "The number of episodes.")
  var episodes = 50

  @Option(help: "The seed of the episodes' starts and of the policy's noise.")
  var seed: UInt64 = 1_000_000

  @Option(
    help: "An MP4 file to write with the first episodes.", completion: .file(extensions: ["mp4"]))
  var video: String?

  @Option(help: "The number of episodes in the video.")
  var videoEpisodes = 3

  @Flag(help: "Act with the noise of training.")
  var exploring = false

  @OptionGroup var arguments: EnvironmentArguments

  @OptionGroup var computing: ComputingOptions

  @Flag(help: "Print warnings and errors only.")
  var quiet = false

  @Flag(
    help: """
      Report as JSON on standard output: the summary, the environment's parameters and in \
      episodeResults each episode's seed, return, bestReward, isSuccess, length and isBroken.
      """)
  var json = false

  func validate() throws {
    if let video { try validateOutput(video, of: "video", ending: ".mp4") }
    if let bestOf { try validateRange("best-of", bestOf, 1...10_000) }
    try validateRange("episodes", episodes, 1...1_000_000)
    try validateRange("video-episodes", videoEpisodes, 1...1000)
  }

  func run() throws { try computing.run(isQuiet: quiet, compute) }

  private func compute() throws {
    let communicator = try Ranks.join()
    let log = RunLog(isQuiet: quiet)
    log.takeEnvironmentWarnings(isQuiet: quiet)
    let choice = EnvironmentChoice(name: environment, parameters: try arguments.values())
    let evaluated = try EvaluatedPolicy(
      path: checkpoint, in: choice, seed: seed, bestOf: bestOf, log: log)
    let other = try against.map {
      try EvaluatedPolicy(path: $0, in: choice, seed: seed, log: log)
    }
    if let other { try requireOneEnvironment(evaluated, other, log) }

    let video = communicator.isFirst ? video : nil
    if let video { try AtomicFile.checkWritable(video) }
    let report = PolicyReport(
      environment: evaluated.environment, parameters: try evaluated.environment.allParameters,
      played: try play(evaluated, "evaluate", over: communicator),
      against: try other.map { try play($0, "against", over: communicator) },
      startSeed: evaluated.evaluation.startSeed(ofEpisode:))
    print(json ? try report.jsonLine : report.text)
    if let video {
      let recorded = min(videoEpisodes, episodes)
      if let other {
        try SideBySideVideo(left: other, right: evaluated).write(to: video, episodeCount: recorded)
      } else {
        try PolicyVideo(evaluated: evaluated).write(to: video, episodeCount: recorded)
      }
    }
  }

  /// Two tasks have no common measure; one task by other rules is measured, and the user told.
  private func requireOneEnvironment(
    _ policy: EvaluatedPolicy, _ other: EvaluatedPolicy, _ log: RunLog
  ) throws {
    let (name, otherName) = (policy.environment.name, other.environment.name)
    guard name == otherName else {
      throw ValidationError(
        "--against plays '\(otherName)' and --checkpoint '\(name)'; "
          + "give policies of one environment")
    }
    if let differences = try policy.environment.differences(from: other.environment) {
      log.warn(
        "--checkpoint and --against are played by different rules: \(differences); "
          + "give key=value to have the same for both")
    }
  }

  private func play(
    _ evaluated: EvaluatedPolicy, _ title: String, over communicator: any Communicator
  ) throws -> [EpisodeStatistics] {
    let own = communicator.fraction(of: episodes).count
    var progress = ProgressBar(title, total: own, unit: "episode", isQuiet: quiet)
    return try evaluated.evaluation.play(
      evaluated.policy, episodeCount: episodes, mode: exploring ? .exploring : .evaluating,
      over: communicator
    ) { progress.update($0) }
  }
}

extension EvaluatedPolicy {
  /// Reads a policy.
  ///
  /// - Parameters:
  ///   - path: a checkpoint of pretrain, finetune or import.
  ///   - choice: what is other than in the checkpoint's environment.
  ///   - seed: decides the episodes' starts and the policy's noise.
  ///   - bestOf: the chunks of which the one of the greatest Q is executed, if not the checkpoint's.
  ///   - log: told in what the environment differs from the checkpoint's.
  fileprivate init(
    path: String, in choice: EnvironmentChoice, seed: UInt64, bestOf: Int? = nil, log: RunLog
  ) throws {
    var checkpoint = try PolicyCheckpoint(path: path)
    let own = checkpoint.configuration.environment
    checkpoint.configuration.environment = try choice.applied(to: own)
    if let note = checkpoint.precisionNote { log.info("\(path.printable) \(note)") }
    try self.init(checkpoint, path: path, seed: seed, bestOf: bestOf)
    if let differences = try environment.differences(from: own) {
      log.info("\(path.printable) is played in another environment than its own: \(differences)")
    }
  }
}

/// What `attune policy evaluate` prints: a summary, and with another policy how much better it is.
struct PolicyReport: Encodable {
  let summary: EvaluationSummary
  let comparison: EvaluationComparison?
  /// All of the environment's, as text.
  let parameters: [String: String]
  let episodes: [EpisodeResult]
  /// The other policy's, of the same seeds.
  let otherEpisodes: [EpisodeResult]

  /// - Parameters:
  ///   - environment: where both were played.
  ///   - parameters: all of its parameters.
  ///   - played: the episodes, at least one.
  ///   - against: those of the other policy, if there is one.
  ///   - startSeed: the seed that an episode started from.
  init(
    environment: EnvironmentConfiguration, parameters: [String: String],
    played: [EpisodeStatistics], against: [EpisodeStatistics]?, startSeed: (Int) -> UInt64
  ) {
    func results(_ played: [EpisodeStatistics]) -> [EpisodeResult] {
      played.enumerated().map { EpisodeResult($1, seed: startSeed($0)) }
    }
    summary = EvaluationSummary(environment: environment.name, played)
    comparison = against.map {
      EvaluationComparison(played, against: $0, environment: environment.name)
    }
    self.parameters = parameters
    episodes = results(played)
    otherEpisodes = results(against ?? [])
  }

  private enum CodingKeys: String, CodingKey {
    case parameters, episodeResults, against, returnGain, bestRewardGain, successGain
  }

  /// The summary's keys, and those of a comparison if there is one; all episodes of both.
  func encode(to encoder: any Encoder) throws {
    try summary.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(parameters, forKey: .parameters)
    try container.encode(episodes, forKey: .episodeResults)
    guard let comparison else { return }
    try container.encode(
      EvaluatedPolicy(summary: comparison.against, episodes: otherEpisodes), forKey: .against)
    try container.encode(comparison.returnGain, forKey: .returnGain)
    try container.encode(comparison.bestRewardGain, forKey: .bestRewardGain)
    // Null for tasks that are never done.
    try container.encode(comparison.successGain, forKey: .successGain)
  }

  private struct EvaluatedPolicy: Encodable {
    let summary: EvaluationSummary
    let episodes: [EpisodeResult]

    func encode(to encoder: any Encoder) throws {
      try summary.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(episodes, forKey: .episodeResults)
    }
  }

  /// Lines for people.
  var text: String {
    let title = "\(summary.episodes.counting("episode")) in '\(summary.environment)'"
    let words = summary.words + Self.broken(episodes)
    guard let comparison else { return "\(title): \(words)" }
    return """
      \(title):
        policy   \(words)
        against  \(comparison.against.words)\(Self.broken(otherEpisodes))
        gain     \(comparison.words)
      """
  }

  /// What a mean does not tell: episodes that a number that is none has ended.
  private static func broken(_ episodes: [EpisodeResult]) -> String {
    let count = episodes.count(where: \.isBroken)
    return count == 0 ? "" : ", \(count.counting("episode")) ended by numbers that are not finite"
  }
}

/// What an episode of an evaluation came to.
struct EpisodeResult: Encodable {
  let statistics: EpisodeStatistics
  /// What the environment started from.
  let seed: UInt64

  init(_ statistics: EpisodeStatistics, seed: UInt64) {
    self.statistics = statistics
    self.seed = seed
  }

  var isBroken: Bool { statistics.isBroken }

  private enum CodingKeys: String, CodingKey {
    case seed, `return`, bestReward, isSuccess, length, isBroken
  }

  /// Writes every key: the success of a task that is never done is null.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(seed, forKey: .seed)
    try container.encode(statistics.totalReward, forKey: .return)
    try container.encode(statistics.bestReward, forKey: .bestReward)
    try container.encode(statistics.isSuccess, forKey: .isSuccess)
    try container.encode(statistics.stepCount, forKey: .length)
    try container.encode(isBroken, forKey: .isBroken)
  }
}

extension EvaluationComparison {
  /// The gains, each with the standard error of a paired difference.
  fileprivate var words: String {
    func words(_ name: String, _ gain: ScoreEstimate, _ unit: String = "") -> String {
      "\(name) \(gain.mean < 0 ? "" : "+")\(gain.mean.short)\(unit) +- \(gain.standardError.short)\(unit)"
    }
    let returns = words("return", returnGain)
    guard let successGain else { return returns }
    let fraction = ScoreEstimate(
      mean: successGain.mean * 100, standardError: successGain.standardError * 100)
    return [words("success", fraction, " points"), words("best reward", bestRewardGain), returns]
      .joined(separator: ", ")
  }
}
