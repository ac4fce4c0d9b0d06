import ArgumentParser
import DiffusionPolicies
import Environments
import Files
import Foundation
import PythonEnvironments
import Runs
import Tensors
import Training

/// `attune policy collect --environment NAME [key=value ...] (--policy FILE | --expert
/// python:FILE.py:CLASS [expert.KEY=VALUE ...]) --episodes N --output PATH`
struct PolicyCollectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "collect",
    abstract: "Collect demonstrations from a behaviour policy or a scripted expert.",
    discussion: """
      The policy is a squashed Gaussian actor (SAC, TQC) in safetensors, or a checkpoint of pretrain, \
      finetune or import, which acts as it is evaluated. An expert is a Python class \
      with act(observation) -> action, and reset(seed) if it has state; a parameter 'env' of either \
      is given the environment. expert.KEY=VALUE are its keyword arguments. The output's name \
      decides the format: FILE.npz is DPPO's (states, actions, traj_lengths, rewards, terminals), \
      FILE.hdf5 has D4RL's layout, and a name without an ending is the folder of a LeRobot data set. \
      Images of the environment's cameras are written too; FILE.hdf5 has robomimic's layout then.

      Examples:
        attune policy collect --environment hopper --policy sac-hopper.safetensors \\
          --episodes 100 --output hopper.npz
        attune policy collect --environment hopper imageSize=96 \\
          --policy sac-hopper.safetensors --episodes 100 --output hopper.hdf5
        attune policy collect --environment hopper version=v5 \\
          --policy sac-hopper.safetensors --episodes 100 --output hopper-lerobot
        attune policy collect --environment metaworld:peg-insert-side-v3 \\
          --expert python:samples/metaworld/expert.py:Expert \\
          expert.task=peg-insert-side-v3 --episodes 20 --only-successes \\
          --expert-noise 0.1 --output peg.npz
      """)

  @Option(
    help: "The environment's name, as 'attune environment list' shows it.",
    completion: .list(EnvironmentRegistry.standard.entries.map(\.name)))
  var environment: String

  @Option(
    help: "The safetensors file of the actor, or a policy's checkpoint.",
    completion: .file(extensions: ["safetensors"]))
  var policy: String?

  @Option(
    help: "A Python expert instead: python:FILE.py:CLASS or python:package.module:CLASS.")
  var expert: String?

  @Option(
    help: """
      The standard deviation of Gaussian noise on the expert's actions, as a fraction of half of \
      their range.
      """)
  var expertNoise: Double = 0

  @Option(
    help: """
      The Python of an expert beside one of Attune's environments; an environment of Python has its \
      own (python=PATH).
      """)
  var expertPython: String?

  @Option(
    help: """
      Seconds that the expert may take for an action; as many as a step of the environment unless \
      given.
      """)
  var expertTimeLimit: Double?

  @Option(help: "The number of episodes.")
  var episodes: Int

  @Flag(
    help: "Drop episodes that do not succeed, and play others until there are --episodes.")
  var onlySuccesses = false

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

  @OptionGroup var computing: ComputingOptions

  @Flag(help: "Print errors only.")
  var quiet = false

  @Flag(help: "Report as JSON on standard output.")
  var json = false

  func validate() throws {
    try validateDemonstrationOutput(output)
    try validateRange("episodes", episodes, 1...1_000_000)
    guard (policy == nil) != (expert == nil) else {
      throw ValidationError(
        "\(policy == nil ? "nobody acts" : "two would act"): give either --policy FILE or "
          + "--expert python:FILE.py:CLASS")
    }
    guard (0...10).contains(expertNoise) else {
      throw ValidationError("--expert-noise is \(expertNoise), expected 0 to 10")
    }
    if let expertTimeLimit {
      guard (0.1...86_400).contains(expertTimeLimit) else {
        throw ValidationError("--expert-time-limit is \(expertTimeLimit), expected 0.1 to 86400")
      }
    }
    if let expertPython { try validatePath(expertPython, of: "expert-python") }
    if expert == nil {
      let (_, keywords) = try dealtArguments()
      let needless = [
        keywords.keys.sorted().first.map { "expert.\($0)" },
        expertNoise > 0 ? "--expert-noise" : nil, expertPython.map { _ in "--expert-python" },
        expertTimeLimit.map { _ in "--expert-time-limit" },
      ].compactMap { $0 }
      if let first = needless.first {
        throw ValidationError("\(first) is for an expert: give --expert, or leave it out")
      }
    } else {
      if deterministic {
        throw ValidationError("--deterministic is for --policy: an expert acts as it is written")
      }
      do { _ = try chosenExpert() } catch { throw ValidationError("\(error)") }
    }
  }

  /// Parameters of the environment, and keyword arguments of the expert, `expert.KEY=VALUE`.
  private func dealtArguments() throws -> (
    environment: [String: String], expert: [String: String]
  ) {
    var (own, experts) = ([String: String](), [String: String]())
    for (key, value) in try arguments.values() {
      if key.hasPrefix("expert.") {
        experts[String(key.dropFirst("expert.".count))] = value
      } else {
        own[key] = value
      }
    }
    return (own, experts)
  }

  private func chosenExpert() throws -> PythonExpert? {
    try expert.map {
      try PythonExpert(
        $0, keywords: dealtArguments().expert, python: expertPython ?? "",
        timeLimit: expertTimeLimit)
    }
  }

  func run() throws { try computing.run(isQuiet: quiet, compute) }

  private func compute() throws {
    // Fails before the work, not after it.
    guard let kind = DemonstrationOutput(path: output) else { return }
    try kind.checkWritable(output)
    let log = RunLog(isQuiet: quiet)
    log.takeEnvironmentWarnings(isQuiet: quiet)
    let behaviour = try policy.map { try Behaviour(path: $0, isDeterministic: deterministic) }
    var settings = EnvironmentConfiguration()
    settings.name = environment
    settings.parameters = try dealtArguments().environment
    let parameters = try settings.allParameters
    // As many as processes that could hold them.
    let processes = parameters["workers"].flatMap { Int($0) } ?? 0
    let sideBySide = processes > 0 ? processes : WorkerPool.shared.threadCount
    let environments = try settings.make(
      count: min(sideBySide, episodes), stepping: .byThemselves)
    let collector = try collector(in: environments, behaviour)
    try kind.check(environments[0].cameras, path: output)
    let options = DemonstrationOutput.Options(
      framesPerSecond: environments[0].stepsPerSecond, task: environment)
    var collected = CollectedDemonstrations()
    var progress = ProgressBar("collect", total: episodes, unit: "episode", isQuiet: quiet)
    do {
      try collector.collect(into: &collected, episodes: episodes, onlySuccesses: onlySuccesses) {
        progress.update($0)
      }
    } catch {
      // What was collected may have taken hours.
      if let demonstrations = collected.demonstrations {
        _ = try kind.write(demonstrations, to: output, options: options)
        throw Incomplete(error: error, episodes: collected.episodes.count, output: output)
      }
      throw error
    }
    guard let demonstrations = collected.demonstrations else { return }
    let notes = try kind.write(demonstrations, to: output, options: options)
    for note in notes { log.info("\(output): \(note)".printable) }
    if collected.clippedSteps > 0 {
      log.info(
        "the expert's actions were outside of their bounds in "
          + "\(collected.clippedSteps) of \(demonstrations.stepCount.counting("step")), and were "
          + "clipped")
    }
    try report(collected, demonstrations, parameters: parameters)
  }

  /// A policy that acts, from its file.
  private enum Behaviour {
    case actor(BehaviourPolicy, BehaviourPolicy.Choice)
    case chunks(ChunkPolicyPlayer)

    init(path: String, isDeterministic: Bool) throws {
      guard try ChunkPolicyPlayer.plays(path) else {
        self = .actor(try BehaviourPolicy(path: path), isDeterministic ? .deterministic : .sampled)
        return
      }
      guard !isDeterministic else {
        throw ValidationError(
          "--deterministic is for actors of SAC: \(path.printable) acts as it is evaluated")
      }
      self = .chunks(try ChunkPolicyPlayer(PolicyCheckpoint(path: path)))
    }

    func player(
      in environment: any Environment, seed: UInt64
    ) throws -> DemonstrationCollector.Player {
      switch self {
      case .actor(let actor, let choice):
        try actor.player(in: environment, choice: choice, seed: seed)
      case .chunks(let player): try player.player(in: environment, seed: seed)
      }
    }
  }

  /// What plays the episodes.
  private func collector(
    in environments: [any Environment], _ behaviour: Behaviour?
  ) throws -> DemonstrationCollector {
    if let behaviour {
      return DemonstrationCollector(environments: environments, seed: seed) {
        try behaviour.player(in: $0, seed: $1)
      }
    }
    let experts = try chosenExpert()?.attached(to: environments) ?? []
    return DemonstrationCollector(
      environments: experts, seed: seed, actions: .clipped(noise: expertNoise)
    ) { environment, _ in
      guard let environment = environment as? ExpertEnvironment else {
        preconditionFailure("\(environment.name) has no expert")
      }
      return { _, _ in try environment.expertAction() }
    }
  }

  /// An error after episodes that were written.
  private struct Incomplete: Error, CustomStringConvertible {
    let error: any Error
    let episodes: Int
    let output: String

    var description: String {
      "\(error); \(output.printable) has the \(episodes.counting("episode")) before"
    }
  }

  private struct Report: Encodable {
    let environment: String
    let parameters: [String: String]
    let episodes: Int
    let playedEpisodes: Int
    let successRate: Double?
    let steps: Int
    let meanReturn: Double
    let standardError: Double
    let output: String
  }

  private func report(
    _ collected: CollectedDemonstrations, _ demonstrations: Demonstrations,
    parameters: [String: String]
  ) throws {
    let summary = EvaluationSummary(environment: environment, collected.episodes)
    let successRate =
      onlySuccesses
      ? Double(summary.episodes) / Double(collected.playedEpisodes) : summary.successRate
    if json {
      let report = Report(
        environment: environment, parameters: parameters, episodes: summary.episodes,
        playedEpisodes: collected.playedEpisodes, successRate: successRate,
        steps: demonstrations.stepCount,
        meanReturn: summary.meanReturn, standardError: summary.standardError, output: output)
      print(try report.jsonLine)
    } else {
      let played =
        collected.playedEpisodes > summary.episodes ? " of \(collected.playedEpisodes) played" : ""
      print(
        "\(summary.episodes.counting("episode"))\(played), "
          + "\(demonstrations.stepCount.counting("step")), mean return \(summary.meanReturn.short) "
          + "+- \(summary.standardError.short)"
          + (successRate.map { ", success rate \($0.short)" } ?? "") + ": \(output.printable)")
    }
  }
}
