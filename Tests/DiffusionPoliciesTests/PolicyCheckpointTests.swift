import Configuration
import Environments
import Foundation
import NeuralNetworks
import Tensors
import Testing

@testable import DiffusionPolicies

@Suite struct PolicyCheckpointTests {
  private func pretrained() throws -> PolicyCheckpoint {
    var policy = PolicyConfiguration()
    policy.environment.name = "push-t"
    policy.network.hiddenSizes = [16, 16, 16]
    policy.denoising.stepCount = 4
    var random = RandomStream(seed: 5)
    let network = try policy.network.makeDenoiser(
      actionSize: 2, horizonSteps: 4, conditionSize: 5,
      random: &random)
    return PolicyCheckpoint(
      configuration: policy,
      normalization: DemonstrationNormalization(
        observations: MinMaxNormalization(
          minimum: [13.456171, 32.938293, 57.471767, 108.27995, 0.00021559125],
          maximum: [496.14618, 510.9579, 439.9153, 454.20206, 6.2831855]),
        actions: MinMaxNormalization(minimum: [12, 25], maximum: [511, 511])),
      weights: network.parameters.values.prefixed("network"), origin: ["seed": "5"])
  }

  @Test func allThatIsNeededIsInTheFile() throws {
    let checkpoint = try pretrained()
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("policy-\(UUID().uuidString).safetensors").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try checkpoint.write(to: path)
    let read = try PolicyCheckpoint(path: path)
    #expect(read.configuration == checkpoint.configuration)
    #expect(read.normalization == checkpoint.normalization)
    #expect(read.origin == ["seed": "5"] && read.fineTunedSteps == 0 && read.critic == nil)
    #expect(read.weights.count == checkpoint.weights.count)
    for (name, value) in checkpoint.weights {
      #expect(read.weights[name]?.elements == value.elements)
    }
  }

  /// A policy tells the precision that it was trained in, where it is not the usual one.
  @Test func precisionOfTheTrainingIsTold() throws {
    var checkpoint = try pretrained()
    #expect(checkpoint.precision == .highest && checkpoint.precisionNote == nil)
    checkpoint.precision = .medium
    let read = try PolicyCheckpoint(
      path: "file", weights: checkpoint.weights, metadata: checkpoint.metadata())
    #expect(read.precision == .medium)
    #expect(
      read.precisionNote == "was trained in precision medium, and is run in highest")
    withPrecision(.medium) { #expect(read.precisionNote == nil) }
    checkpoint.precision = .highest
    #expect(checkpoint.origin == ["seed": "5"])
  }

  @Test func evaluationDoesNotDependOnWhatIsPlayedBeside() throws {
    let checkpoint = try pretrained()
    let environment = try PolicyEnvironment(
      checkpoint.configuration, normalization: checkpoint.normalization)
    let policy = try checkpoint.makePolicy()
    let one = try PolicyEvaluation(environment, seed: 9, sideBySide: 1)
      .play(policy, episodeCount: 3)
    let all = try PolicyEvaluation(environment, seed: 9, sideBySide: 2)
      .play(policy, episodeCount: 3)
    #expect(one == all && one.allSatisfy { $0.stepCount > 0 })
    var stepCount = 0
    try PolicyEvaluation(environment, seed: 9).show(policy, episode: 1) { _, outcome in
      if outcome != nil { stepCount += 1 }
    }
    #expect(stepCount == one[1].stepCount)
  }

  /// A file of 0.1.0 is not taken for one that lacks settings, whose defaults would be others.
  @Test(arguments: [
    ("\"observationSteps\":1", "\"observationCount\":1"),
    ("\"fineTunedSteps\":0", "\"fineTunedCount\":0"), ("\"std\":0.1", "\"deviation\":0.1"),
    ("\"minSamplingStd\":", "\"leastSamplingDeviation\":"),
  ])
  func filesOfFormerVersionsAreNamed(_ present: String, _ former: String) throws {
    var checkpoint = try pretrained()
    checkpoint.exploration = DiffusionPolicy.Exploration()
    let error = #expect(throws: PolicyError.self) {
      try read(checkpoint, replacing: present, with: former)
    }
    #expect(error == .formerVersion(path: "file"))
    let text = error?.description ?? ""
    #expect(text.hasPrefix("file: written by Attune 0.1.0, whose settings had other names; "))
    // A user's own words are none of them.
    checkpoint.origin = ["discount": "0.9"]
    checkpoint.configuration.environment.parameters = ["deviation": "1"]
    let metadata = try checkpoint.metadata()
    _ = try PolicyCheckpoint(path: "file", weights: checkpoint.weights, metadata: metadata)
  }

  /// The same file with another description.
  private func read(
    _ checkpoint: PolicyCheckpoint, replacing old: String, with new: String
  ) throws -> PolicyCheckpoint {
    let original = try checkpoint.metadata()
    let changed = original.mapValues { $0.replacing(old, with: new) }
    #expect(changed != original)
    return try PolicyCheckpoint(path: "file", weights: checkpoint.weights, metadata: changed)
  }

  /// Files from before a setting came say nothing of it.
  @Test(arguments: ["\"ddimEta\":0,", "\"activation\":\"relu\",", ",\"noiseLimit\":3"])
  func olderFilesAreRead(without setting: String) throws {
    var checkpoint = try pretrained()
    checkpoint.exploration = DiffusionPolicy.Exploration()
    let older = try read(checkpoint, replacing: setting, with: "")
    #expect(older.configuration == checkpoint.configuration)
    #expect(older.exploration == checkpoint.exploration)
    #expect(older.normalization == checkpoint.normalization)
  }

  @Test func damagedDescriptionsAreRefused() throws {
    let checkpoint = try pretrained()
    let kind = #expect(throws: PolicyError.self) {
      try read(checkpoint, replacing: "\"kind\":\"mlp\"", with: "\"kind\":\"oracle\"")
    }
    #expect("\(kind as Any)".contains("configuration.network.kind"))
    // Fewer numbers than the policy has actions.
    #expect(throws: PolicyError.self) {
      try read(checkpoint, replacing: "[12,25]", with: "[12]")
    }
    var limits = checkpoint
    limits.exploration = DiffusionPolicy.Exploration()
    limits.exploration?.actionLimit = -1
    #expect(throws: ConfigurationError.self) { try limits.makePolicy() }
    // Between these there is no room to learn in.
    limits.configuration.denoising.sampler = .ddim
    limits.configuration.denoising.ddimStepCount = 2
    limits.exploration = DiffusionPolicy.Exploration()
    limits.exploration?.learnsEta = true
    limits.exploration?.minEta = 1
    #expect(throws: ConfigurationError.self) { try limits.makePolicy() }
  }

  /// `actor.*` and, a tenth larger, `actor_ft.*`.
  private func fineTuned(_ fineTunedSteps: Int) throws -> PolicyCheckpoint {
    var checkpoint = try pretrained()
    checkpoint.weights = checkpoint.weights.reduce(into: [:]) { weights, weight in
      let name = weight.key.replacing("network.", with: "")
      weights["actor.\(name)"] = weight.value
      weights["actor_ft.\(name)"] = weight.value * 1.1
    }
    checkpoint.fineTunedSteps = fineTunedSteps
    return checkpoint
  }

  /// Going on with another K' must not change what the policy does before it learns.
  @Test func anotherFineTuningStartsWhereTheFirstEnded() throws {
    var random = RandomStream(seed: 2)
    let observation = Observations(random.uniform([1, 1, 5]))
    func chunk(_ policy: any LikelihoodPolicy) -> [Float] {
      policy.decide(on: observation, mode: .evaluating, streams: [RandomStream(seed: 3)])
        .chunks.elements
    }
    let whole = try fineTuned(4)
    let expected = chunk(try whole.makePolicy())
    for count in 1...4 {
      let start = try whole.start(ofFineTuning: count)
      #expect(chunk(try start.makePolicy(fineTuning: count)) == expected, "\(count)")
    }
    let part = try fineTuned(2)
    #expect(try part.start(ofFineTuning: 2).weights.count == part.weights.count)
    for count in [1, 3, 4] {
      #expect(throws: ConfigurationError.self) { try part.start(ofFineTuning: count) }
    }
  }

  /// Where all steps were fine-tuned, nothing runs the network from before.
  @Test(arguments: [2, 4]) func unusedWeightsAreLeftOut(fineTunedSteps: Int) throws {
    let checkpoint = try fineTuned(fineTunedSteps)
    let small = checkpoint.withoutUnusedWeights
    #expect(small.weights.keys.contains { $0.hasPrefix("actor.") } == (fineTunedSteps < 4))
    #expect(small.weights.keys.contains { $0.hasPrefix("actor_ft.") })
    var random = RandomStream(seed: 2)
    let observation = Observations(random.uniform([1, 1, 5]))
    func chunk(_ weights: [String: Tensor]) throws -> [Float] {
      try PolicyCheckpoint(path: "small", weights: weights, metadata: checkpoint.metadata())
        .makePolicy().decide(
          on: observation, mode: .evaluating, streams: [RandomStream(seed: 3)]
        ).chunks.elements
    }
    #expect(try chunk(small.weights) == chunk(checkpoint.weights))
    let withoutFirst = checkpoint.weights.filter { !$0.key.hasPrefix("actor.") }
    if fineTunedSteps < 4 {
      #expect(throws: ParameterError.self) { try chunk(withoutFirst) }
    }
  }

  /// DDIM draws noise where a policy is evaluated only if it is told to.
  @Test func evaluatedPoliciesMayDrawNoise() throws {
    var checkpoint = try pretrained()
    checkpoint.configuration.denoising.sampler = .ddim
    checkpoint.configuration.denoising.ddimStepCount = 4
    var random = RandomStream(seed: 2)
    let observation = Observations(random.uniform([1, 1, 5]))
    func chunk(eta: Float, seed: UInt64) throws -> [Float] {
      checkpoint.configuration.denoising.ddimEta = eta
      return try checkpoint.makePolicy().decide(
        on: observation, mode: .evaluating, streams: [RandomStream(seed: seed)]
      ).chunks.elements
    }
    #expect(try chunk(eta: 0, seed: 1) != chunk(eta: 1, seed: 1))
    #expect(try chunk(eta: 1, seed: 1) == chunk(eta: 1, seed: 1))
  }

  @Test func sizesMustFit() throws {
    var checkpoint = try pretrained()
    checkpoint.configuration.environment.name = "hopper"
    #expect(throws: PolicyError.self) {
      try PolicyEnvironment(
        checkpoint.configuration, normalization: checkpoint.normalization)
    }
    checkpoint.configuration.network.hiddenSizes = [32, 32, 32]
    #expect(throws: ParameterError.self) { try checkpoint.makePolicy() }
  }

  @Test func settingsAreChecked() throws {
    var tuning = DPPOConfiguration()
    tuning.clipRange = -1
    #expect(
      throws: ConfigurationError.badValue(
        key: "clipRange", found: "-1.0", expected: "a number from 0")
    ) {
      try tuning.validate()
    }
    var policy = PolicyConfiguration()
    policy.actionSteps = 5
    #expect(throws: ConfigurationError.self) { try policy.validate() }
    policy = PolicyConfiguration()
    policy.network.hiddenSizes = [16, 8, 16]
    #expect(throws: ConfigurationError.self) { try policy.validate() }
  }
}
