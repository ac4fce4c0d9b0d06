import ArgumentParser
import DiffusionPolicies
import Environments
import Files
import Foundation
import Media
import Runs

/// `attune policy evaluate --checkpoint FILE [--environment NAME] [--episodes 50] [--video
/// out.mp4]`
struct PolicyEvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Plays a policy, or two, on fixed seeds and reports return and success.",
    discussion: """
      Examples:
        attune policy evaluate \\
          --checkpoint checkpoints/push-t-finetuned.safetensors
        attune policy evaluate --checkpoint runs/finetune/policy.safetensors \\
          --episodes 100 --video episodes.mp4 --json
        attune policy evaluate --checkpoint runs/finetune/policy.safetensors \\
          --against checkpoints/push-t-pretrained.safetensors \\
          --video side-by-side.mp4
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

  @Option(help: "The number of episodes.")
  var episodes = 50

  @Option(help: "Decides the episodes' starts and the policy's noise.")
  var seed: UInt64 = 1_000_000

  @Option(
    help: "An MP4 file to write with the first episodes.", completion: .file(extensions: ["mp4"]))
  var video: String?

  @Option(help: "The number of episodes in the video.")
  var videoEpisodes = 3

  @Flag(help: "Act with the noise of training.")
  var exploring = false

  @OptionGroup var threads: ThreadOptions

  @Flag(help: "Say nothing but errors.")
  var quiet = false

  @Flag(help: "Report as JSON on standard output.")
  var json = false

  func validate() throws {
    if let video { try validateOutput(video, of: "video", ending: ".mp4") }
    try validateRange("episodes", episodes, 1...1_000_000)
    try validateRange("video-episodes", videoEpisodes, 1...1000)
  }

  func run() throws {
    threads.apply()
    let contestant = try Contestant(path: checkpoint, environment: environment, seed: seed)
    let name = contestant.environmentName
    let other = try against.map {
      try Contestant(path: $0, environment: environment, seed: seed)
    }
    if let other, other.environmentName != name {
      throw ValidationError(
        "--against plays '\(other.environmentName)' and --checkpoint '\(name)'; "
          + "give policies of one environment")
    }

    if let video { try AtomicFile.checkWritable(video) }
    let played = try play(contestant, "evaluate")
    let summary = EvaluationSummary(environment: name, played)
    let comparison = try other.map {
      EvaluationComparison(played, against: try play($0, "against"), environment: name)
    }
    let report = PolicyReport(summary: summary, comparison: comparison)
    print(json ? try report.jsonLine : report.text)
    if let video {
      let filmed = min(videoEpisodes, episodes)
      if let other {
        try SideBySideVideo(left: other, right: contestant).write(to: video, episodeCount: filmed)
      } else {
        try PolicyVideo(contestant: contestant).write(to: video, episodeCount: filmed)
      }
    }
  }

  private func play(_ contestant: Contestant, _ title: String) throws -> [EpisodeStatistics] {
    var progress = ProgressBar(title, total: episodes, unit: "episode", isQuiet: quiet)
    return try contestant.evaluation.play(
      contestant.policy, episodeCount: episodes, mode: exploring ? .exploring : .evaluating
    ) { progress.update($0) }
  }
}
