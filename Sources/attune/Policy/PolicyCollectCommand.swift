import Training
import ArgumentParser
import DiffusionPolicies
import Environments
import Files
import Foundation
import Runs
import Tensors

/// `attune policy collect --environment NAME [key=value ...] --policy FILE --episodes N --output
/// PATH`
struct PolicyCollectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "collect",
    abstract: "Collect demonstrations from a behaviour policy.",
    discussion: """
      The policy is a squashed Gaussian actor (SAC, TQC) in safetensors. The output's name says what \
      is written: FILE.npz is DPPO's (states, actions, traj_lengths, rewards, terminals), FILE.hdf5 \
      has D4RL's layout, and a name without an ending is the folder of a LeRobot data set.

      Examples:
        attune policy collect --environment hopper --policy sac-hopper.safetensors \\
          --episodes 100 --output hopper.npz
        attune policy collect --environment hopper version=v5 \\
          --policy sac-hopper.safetensors --episodes 100 --output hopper-lerobot
      """)

  @Option(
    help: "The environment's name, as 'attune environment list' shows it.",
    completion: .list(EnvironmentRegistry.standard.entries.map(\.name)))
  var environment: String

  @Option(
    help: "The safetensors file of the actor.", completion: .file(extensions: ["safetensors"]))
  var policy: String

  @Option(help: "The number of episodes.")
  var episodes: Int

  @Option(
    name: .shortAndLong,
    help: "The npz or hdf5 file to write, or a folder, whose name has no ending.",
    completion: .file())
  var output: String

  @Flag(help: "Act by the mean instead of drawing from the policy's distribution.")
  var deterministic = false

  @Option(help: "The seed of the first episode; the next ones follow it.")
  var seed: UInt64 = 0

  @OptionGroup var arguments: EnvironmentArguments

  @OptionGroup var threads: ThreadOptions

  @Flag(help: "Print errors only.")
  var quiet = false

  @Flag(help: "Report as JSON on standard output.")
  var json = false

  func validate() throws {
    try validateDemonstrationOutput(output)
    try validateRange("episodes", episodes, 1...1_000_000)
  }

  func run() throws {
    threads.apply()
    // Fails before the work, not after it.
    guard let kind = DemonstrationOutput(path: output) else { return }
    try kind.checkWritable(output)
    let log = RunLog(isQuiet: quiet)
    log.takeEnvironmentWarnings(isQuiet: quiet)
    var settings = EnvironmentConfiguration()
    settings.name = environment
    settings.parameters = try arguments.values()
    let collected = settings
    let rate = try collected.make().stepsPerSecond
    let collector = DemonstrationCollector(
      policy: try BehaviourPolicy(path: policy),
      choice: deterministic ? .deterministic : .sampled, seed: seed,
      makeEnvironment: { try collected.make() })
    var progress = ProgressBar("collect", total: episodes, unit: "episode", isQuiet: quiet)
    var demonstrations: Demonstrations?
    let batch = WorkerPool.shared.threadCount
    for first in stride(from: 0, to: episodes, by: batch) {
      let range = first..<min(episodes, first + batch)
      let part = try collector.collect(range)
      if demonstrations == nil { demonstrations = part } else { demonstrations?.append(part) }
      progress.update(range.upperBound)
    }
    guard let demonstrations else { return }
    let notes = try kind.write(
      demonstrations, to: output,
      options: DemonstrationOutput.Options(framesPerSecond: rate, task: environment))
    for note in notes { log.info("\(output): \(note)".printable) }
    try report(demonstrations, parameters: try collected.allParameters)
  }

  private struct Report: Encodable {
    let environment: String
    let parameters: [String: String]
    let episodes: Int
    let steps: Int
    let meanReturn: Double
    let standardError: Double
    let output: String
  }

  private func report(_ demonstrations: Demonstrations, parameters: [String: String]) throws {
    let episodes = zip(demonstrations.returns, demonstrations.lengths).map { total, length in
      var episode = EpisodeStatistics()
      episode.totalReward = total
      episode.stepCount = length
      return episode
    }
    let summary = EvaluationSummary(environment: environment, episodes)
    if json {
      let report = Report(
        environment: environment, parameters: parameters, episodes: summary.episodes,
        steps: demonstrations.stepCount,
        meanReturn: summary.meanReturn, standardError: summary.standardError, output: output)
      print(try report.jsonLine)
    } else {
      print(
        "\(summary.episodes.counting("episode")), "
          + "\(demonstrations.stepCount.counting("step")), mean return \(summary.meanReturn.short) "
          + "+- \(summary.standardError.short): \(output.printable)")
    }
  }
}
