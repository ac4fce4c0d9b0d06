import ArgumentParser
import DiffusionPolicies
import Environments
import Foundation
import Media
import Runs
import Tensors

/// `attune policy evaluate --checkpoint FILE [--environment NAME] [--episodes 50] [--video out.mp4]`
struct PolicyEvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Plays a policy on fixed seeds and reports its return and success.",
    discussion: """
      Examples:
        attune policy evaluate \\
          --checkpoint checkpoints/push-t-finetuned.safetensors
        attune policy evaluate --checkpoint runs/finetune/policy.safetensors \\
          --episodes 100 --video episodes.mp4 --json
      """)

  @Option(
    help: "The policy: a checkpoint of pretrain, finetune or import.",
    completion: .file(extensions: ["safetensors"]))
  var checkpoint: String

  @Option(help: "The environment, if it is not that of the checkpoint.")
  var environment: String?

  @Option(help: "The number of episodes.")
  var episodes = 50

  @Option(help: "Decides the episodes' starts and the policy's noise.")
  var seed: UInt64 = 1_000_000

  @Option(help: "An MP4 file to write with the first episodes.")
  var video: String?

  @Option(help: "The number of episodes in the video.")
  var videoEpisodes = 3

  @Flag(help: "Act with the noise of training.")
  var exploring = false

  @Option(help: "Threads to use; all processors unless given. Results do not depend on it.")
  var threads: Int?

  @Flag(help: "Say nothing but errors.")
  var quiet = false

  @Flag(help: "Report as JSON on standard output.")
  var json = false

  func validate() throws {
    try validateThreads(threads)
    if let video { try validatePath(video, of: "video") }
    guard (1...1_000_000).contains(episodes) else {
      throw ValidationError("--episodes is \(episodes), expected 1 to 1,000,000")
    }
    guard (1...1000).contains(videoEpisodes) else {
      throw ValidationError("--video-episodes is \(videoEpisodes), expected 1 to 1,000")
    }
  }

  func run() throws {
    if let threads { WorkerPool.shared.threadCount = threads }
    var checkpoint = try PolicyCheckpoint(path: checkpoint)
    if let environment {
      checkpoint.configuration.environment = EnvironmentConfiguration()
      checkpoint.configuration.environment.name = environment
    }
    let policy = try checkpoint.makePolicy()
    let evaluation = PolicyEvaluation(
      try PolicyEnvironment(checkpoint.configuration, normalization: checkpoint.normalization),
      seed: seed)
    var progress = ProgressBar("evaluate", total: episodes, unit: "episode", isQuiet: quiet)
    let played = try evaluation.play(
      policy, episodeCount: episodes, mode: exploring ? .exploring : .evaluating
    ) { progress.update($0) }
    let summary = EvaluationSummary(
      environment: checkpoint.configuration.environment.name, played)
    if let video {
      try PolicyVideo(evaluation: evaluation, policy: policy)
        .write(to: video, episodeCount: min(videoEpisodes, episodes))
    }
    if json {
      print(try summary.jsonLine)
    } else {
      print("\(episodes.counting("episode")) in '\(summary.environment)': \(summary.words)")
    }
  }
}
