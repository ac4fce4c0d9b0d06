import DiffusionPolicies
import Environments
import Foundation
import Tensors
import TestSupport
import Testing

/// `attune policy` and the environment: trainings without one, parameters of one, and what becomes
/// of actions that never varied.
@Suite(.serialized) struct PolicyEnvironmentCommandTests {
  private let folder: TemporaryFolder

  /// A folder with a Push-T policy that has learned nothing and ends episodes after 40 steps.
  init() throws {
    folder = try TemporaryFolder()
    try folder.writeFinetuning()
  }

  private func object(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  private func evaluate(_ arguments: String...) throws -> ProgramOutcome {
    try Attune.run(
      ["policy", "evaluate", "--checkpoint", "policy.safetensors", "--episodes", "2"] + arguments,
      in: folder)
  }

  private func report(_ outcome: ProgramOutcome) throws -> [String: Any] {
    #expect(outcome.status == 0, "\(outcome.output)")
    return try object(outcome.standardOutput)
  }

  // MARK: Training without an environment

  private func pretrain(_ run: String, _ settings: String...) throws -> ProgramOutcome {
    try folder.writePretraining()
    return try Attune.run(
      ["policy", "pretrain", "--config", "pretrain.yaml", "--output", run] + settings, in: folder)
  }

  /// Metrics by iteration.
  private func metrics(_ run: String) throws -> [(iteration: Int, values: [String: Any])] {
    try folder.text("\(run)/metrics.jsonl").split(separator: "\n").map {
      let values = try object(String($0))
      return (try #require(values["iteration"] as? Int), values)
    }
  }

  private func losses(_ run: String) throws -> [Int: Double] {
    Dictionary(
      uniqueKeysWithValues: try metrics(run).compactMap { iteration, values in
        (values["validationLoss"] as? Double).map { (iteration, $0) }
      })
  }

  /// The policy of a run is that of its least validation loss.
  private func expectBestByLoss(_ run: String) throws {
    let best = try #require(try losses(run).min { $0.value < $1.value })
    let policy = try PolicyCheckpoint(path: folder.file("\(run)/policy.safetensors"))
    #expect(policy.origin["iteration"] == String(best.key))
  }

  /// What is held out is evaluated every `evaluation.interval` batches, without any environment,
  /// and gives the same losses as beside one.
  @Test func validationNeedsNoEnvironment() throws {
    // A learning rate at which losses rise again.
    let rate = "training.learningRate=0.05"
    let with = try pretrain("with", rate)
    #expect(with.status == 0, "\(with.output)")
    let without = try pretrain(
      "without", rate, "policy.environment.name=none", "evaluation.videoEpisodes=1")
    #expect(without.status == 0, "\(without.output)")
    #expect(without.output.contains("no environment: no policy is played, and there are no videos"))
    #expect(try losses("without") == losses("with"))
    #expect(try losses("without").keys.sorted() == [20, 40])
    #expect(try metrics("without").allSatisfy { $0.values["evaluationReturn"] == nil })
    #expect(!folder.holds("without/videos/after.mp4"))
    try expectBestByLoss("without")

    // An empty name is the same.
    let empty = try pretrain("empty", rate, "policy.environment.name=\"\"")
    #expect(empty.status == 0, "\(empty.output)")
    #expect(try losses("empty") == losses("with"))

    // There is nothing to act in, and nothing is held out: said.
    let neither = try pretrain(
      "neither", "policy.environment.name=none", "demonstrations.validationFraction=0")
    #expect(neither.status == 0 && neither.output.contains("none is compared"))

    // And a policy of no environment is not played without one.
    let policy = ["--checkpoint", "without/policy.safetensors", "--episodes", "1"]
    expectOneLine(
      try Attune.run(["policy", "evaluate"] + policy, in: folder), "--environment NAME",
      "attune policy serve")
    let played = try Attune.run(
      ["policy", "evaluate"] + policy + ["--environment", "push-t", "timeLimit=8", "--quiet"],
      in: folder)
    #expect(played.status == 0, "\(played.output)")
    expectOneLine(
      try Attune.run(
        [
          "policy", "finetune", "--config", "finetune.yaml", "--checkpoint",
          "without/policy.safetensors", "--output", "dppo",
        ], in: folder), "nothing to act in")
  }

  /// Where nothing is played, held-out episodes are evaluated with every line of metrics; a robot
  /// that Attune does not know is no obstacle then, and said.
  @Test func validationNeedsNoEvaluation() throws {
    let outcome = try pretrain("run", "training.learningRate=0.05", "evaluation.interval=0")
    #expect(outcome.status == 0, "\(outcome.output)")
    #expect(outcome.output.contains("evaluation.interval is 0"), "\(outcome.output)")
    #expect(try losses("run").keys.sorted() == Array(stride(from: 5, through: 40, by: 5)))
    try expectBestByLoss("run")
    let unknown = try pretrain(
      "unknown", "training.learningRate=0.05", "evaluation.interval=0",
      "policy.environment.name=my-robot", "evaluation.videoEpisodes=1")
    #expect(unknown.status == 0 && unknown.output.contains("my-robot"), "\(unknown.output)")
    #expect(unknown.output.contains("policy.environment.name=none"))
    #expect(try losses("unknown") == losses("run"))
    // Asked to play it, it is refused.
    expectOneLine(try pretrain("refused", "policy.environment.name=my-robot"), "my-robot", "none")
  }

  // MARK: Parameters

  /// A checkpoint's parameters hold in its own environment, and may be set; what differs is said.
  @Test func parametersAreKeptAndGiven() throws {
    let own = try report(try evaluate("--environment", "push-t", "--json"))
    #expect(own["meanLength"] as? Double == 40)
    #expect((own["parameters"] as? [String: String])?["timeLimit"] == "40")
    let outcome = try evaluate("--environment", "push-t", "timeLimit=12", "--json")
    #expect(outcome.standardError.contains("timeLimit=12 instead of 40"), "\(outcome.output)")
    let given = try report(outcome)
    #expect(given["meanLength"] as? Double == 12)
    #expect((given["parameters"] as? [String: String])?["timeLimit"] == "12")
    #expect(
      try report(try evaluate("timeLimit=12", "--json", "--quiet"))["meanLength"] as? Double == 12)

    expectOneLine(try evaluate("timeLimt=12"), "timeLimit")
    expectOneLine(try evaluate("timeLimit"), "key=value", status: 2)
    expectOneLine(try evaluate("timeLimit=2", "timeLimit=3"), "given twice", status: 2)
    // Another environment has parameters of its own.
    let other = try evaluate("--environment", "hopper")
    #expect(other.status == 1 && other.output.contains("choose the environment"))
  }

  /// Policies that are played by different rules are compared, and the user told.
  @Test func differentRulesAreTold() throws {
    var policy = try PolicyCheckpoint(path: folder.file("policy.safetensors"))
    policy.configuration.environment.parameters["timeLimit"] = "20"
    try policy.write(to: folder.file("short.safetensors"))
    let against = ["--against", "short.safetensors"]
    let outcome = try evaluate(against[0], against[1], "--json")
    let report = try report(outcome)
    #expect(
      outcome.standardError.contains("different rules: timeLimit=40 instead of 20"),
      "\(outcome.output)")
    let other = try #require(report["against"] as? [String: Any])
    #expect(report["meanLength"] as? Double == 40 && other["meanLength"] as? Double == 20)
    let same = try evaluate(against[0], against[1], "--json", "timeLimit=20")
    #expect(!same.standardError.contains("different rules"))
  }

  @Test func collectingWritesByTheOutputsName() throws {
    try folder.writeActor()
    var all: [Demonstrations] = []
    for output in ["x.npz", "x.hdf5", "x"] {
      let outcome = try Attune.run(
        [
          "policy", "collect", "--environment", "hopper", "--policy", "actor.safetensors",
          "--episodes", "2", "--output", output, "timeLimit=5",
        ], in: folder)
      #expect(outcome.status == 0, "\(outcome.output)")
      all.append(try Demonstrations(contentsOf: folder.file(output)))
    }
    for other in all.dropFirst() {
      #expect(other.states == all[0].states && other.actions == all[0].actions)
      #expect(other.rewards == all[0].rewards && other.terminals == all[0].terminals)
      #expect(other.lengths == all[0].lengths)
    }
    // Hopper takes 125 steps a second.
    #expect(all[2].framesPerSecond == 125 && all[2].tasks == ["hopper", "hopper"])
  }

  /// Images come back from every format; what one cannot hold is refused before anything is played.
  @Test func collectingWritesImages() throws {
    try folder.writeActor()
    let collect = [
      "policy", "collect", "--environment", "hopper", "imageSize=16", "timeLimit=3", "--policy",
      "actor.safetensors", "--episodes", "2",
    ]
    var all: [Demonstrations] = []
    for (output, name) in [
      ("x.npz", "images"), ("x.hdf5", "track_image"), ("x", "observation.images.track"),
    ] {
      let outcome = try Attune.run(collect + ["--output", output], in: folder)
      #expect(outcome.status == 0, "\(outcome.output)")
      #expect(
        outcome.standardError.contains("demonstrations.images=[\(name)]"), "\(outcome.output)")
      all.append(try Demonstrations(contentsOf: folder.file(output), images: [name]))
    }
    #expect(all.allSatisfy { $0.images.map(\.bytes) == all[0].images.map(\.bytes) })
    #expect(all[0].images[0].shape == [6, 1, 16, 16, 3])
  }

  @Test func collectingTakesParameters() throws {
    try folder.writeActor()
    let collect = [
      "policy", "collect", "--environment", "hopper", "--policy", "actor.safetensors", "--episodes",
      "2", "--output", "hopper.npz", "--json", "--quiet",
    ]
    let outcome = try Attune.run(collect + ["version=v5", "timeLimit=3"], in: folder)
    let report = try report(outcome)
    #expect(report["steps"] as? Int == 6)
    let parameters = try #require(report["parameters"] as? [String: String])
    #expect(parameters["version"] == "v5" && parameters["timeLimit"] == "3")
    expectOneLine(try Attune.run(collect + ["verzion=v5"], in: folder), "version")
  }

  // MARK: Episodes

  @Test func everyEpisodeIsReported() throws {
    let report = try report(
      try evaluate("--against", "policy.safetensors", "--json", "--quiet"))
    let episodes = try #require(report["episodeResults"] as? [[String: Any]])
    let against = try #require(report["against"] as? [String: Any])
    let others = try #require(against["episodeResults"] as? [[String: Any]])
    #expect(episodes.count == 2 && others.count == 2)
    for (episode, other) in zip(episodes, others) {
      #expect(
        Set(episode.keys) == ["seed", "return", "bestReward", "isSuccess", "length", "isBroken"])
      #expect(NSDictionary(dictionary: episode) == NSDictionary(dictionary: other))
    }
    func mean(_ key: String) -> Double {
      episodes.reduce(0) { $0 + ($1[key] as? Double ?? .nan) } / 2
    }
    #expect(abs(mean("return") - (report["meanReturn"] as? Double ?? .nan)) < 1e-9)
    #expect(abs(mean("bestReward") - (report["bestRewardMean"] as? Double ?? .nan)) < 1e-9)
    #expect(mean("length") == 40)
    // The seed is that of the environment's start.
    let seeds = episodes.compactMap { ($0["seed"] as? NSNumber)?.uint64Value }
    let evaluation = PolicyEvaluation(
      try PolicyEnvironment(
        try PolicyCheckpoint(path: folder.file("policy.safetensors")).configuration,
        normalization: try PolicyCheckpoint(path: folder.file("policy.safetensors")).normalization),
      seed: 1_000_000)
    #expect(seeds == [0, 1].map(evaluation.startSeed(ofEpisode:)))
  }

  /// A policy whose weights are no numbers ends its episodes, which is a warning, not a line past
  /// `--quiet`, and in the report.
  @Test func brokenEpisodesAreTold() throws {
    var policy = try PolicyCheckpoint(path: folder.file("policy.safetensors"))
    policy.weights = policy.weights.mapValues { $0 * .nan }
    try policy.write(to: folder.file("policy.safetensors"))
    let loud = try evaluate()
    #expect(
      loud.standardError.contains("attune: warning: environment push-t: an action is not finite"),
      "\(loud.output)")
    #expect(loud.standardOutput.contains("2 episodes ended by numbers that are not finite"))
    let quiet = try evaluate("--quiet", "--json")
    #expect(quiet.standardError.isEmpty, "\(quiet.standardError)")
    let episodes = try #require(try report(quiet)["episodeResults"] as? [[String: Any]])
    #expect(episodes.allSatisfy { $0["isBroken"] as? Bool == true })
  }

  // MARK: Constants

  /// Six actions that were 0.25 in all demonstrations cost 0.1 x 6 x 0.0625 in each of 1,000 steps,
  /// exploring or not.
  @Test func constantActionsStayConstant() throws {
    var demonstrations = Demonstrations(stateSize: 17, actionSize: 6)
    var random = RandomStream(seed: 2)
    demonstrations.states = random.normal([60, 17]).elements
    demonstrations.actions = Array(repeating: 0.25, count: 60 * 6)
    demonstrations.lengths = [60]
    demonstrations.rewards = Array(repeating: 0, count: 60)
    demonstrations.terminals = Array(repeating: false, count: 60)
    try demonstrations.write(to: folder.file("still.npz"))
    try folder.write(
      """
      policy:
        environment: {name: half-cheetah, parameters: {forwardRewardWeight: "0"}}
        network: {hiddenSizes: [16, 16, 16]}
        denoising: {stepCount: 4}
      demonstrations: {path: still.npz}
      training: {batchSize: 16, batchCount: 5}
      evaluation: {interval: 0, videoEpisodes: 0}
      reportInterval: 5
      checkpointInterval: 5
      """, to: "still.yaml")
    let trained = try Attune.run(
      ["policy", "pretrain", "--config", "still.yaml", "--output", "still"], in: folder)
    #expect(trained.status == 0, "\(trained.output)")
    #expect(trained.output.contains("6 of 6 actions never vary"))
    for mode in [[], ["--exploring"]] {
      let outcome = try Attune.run(
        [
          "policy", "evaluate", "--checkpoint", "still/policy.safetensors", "--episodes", "1",
          "--json", "--quiet",
        ] + mode, in: folder)
      let total = try #require(try report(outcome)["meanReturn"] as? Double)
      #expect(abs(total + 37.5) < 1e-5, "\(mode): \(total)")
    }
  }
}
