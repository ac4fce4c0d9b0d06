import DiffusionPolicies
import Environments
import Files
import Foundation
import NeuralNetworks
import Tensors
import TestSupport
import TextToImage

/// Small files and settings for trainings of a moment.
extension TemporaryFolder {
  /// The paper dolls of the tests.
  static let dolls = Repository.golden("CaptionedMedia/dolls")

  /// `policy.safetensors`, a Push-T policy that has learned nothing, and `finetune.yaml` to improve
  /// it.
  func writeFinetuning() throws {
    var policy = PolicyConfiguration()
    policy.environment.name = "push-t"
    policy.environment.parameters = ["timeLimit": "40"]
    policy.network.hiddenSizes = [16, 16, 16]
    policy.denoising.stepCount = 4
    var random = RandomStream(seed: 5)
    let network = try policy.network.makeDenoiser(
      actionSize: 2, horizonSteps: 4, conditionSize: 5,
      random: &random)
    var weights: [String: Tensor] = [:]
    for (name, value) in network.parameters.values { weights["network.\(name)"] = value }
    try PolicyCheckpoint(
      configuration: policy,
      normalization: DemonstrationNormalization(
        observations: MinMaxNormalization(
          minimum: [0, 0, 0, 0, 0], maximum: [512, 512, 512, 512, 6.3]),
        actions: MinMaxNormalization(minimum: [0, 0], maximum: [512, 512])),
      weights: weights
    ).write(to: file("policy.safetensors"))
    try write(
      """
      checkpoint: policy.safetensors
      training:
        iterations: 10
        environments: 4
        rolloutSteps: 6
        fineTunedSteps: 2
        epochs: 2
        batchSize: 24
        critic: {hiddenSizes: [16, 16, 16]}
      evaluation: {interval: 4, episodes: 3, videoEpisodes: 0}
      checkpointInterval: 1
      """, to: "finetune.yaml")
  }

  /// `policy.safetensors` of that, and `dsrl.yaml` to learn its initial noise.
  func writeNoiseFinetuning() throws {
    try writeFinetuning()
    try write(
      """
      checkpoint: policy.safetensors
      algorithm: dsrl
      policy: {sampler: ddim, ddimStepCount: 2}
      training: {iterations: 6, environments: 3, rolloutSteps: 4}
      offPolicy:
        warmUpDecisions: 6
        updates: 2
        batchSize: 16
        capacity: 40
        critic: {layers: {hiddenSizes: [8]}}
        dsrl: {distillations: 1, noise: {actor: {hiddenSizes: [8]}}}
      evaluation: {interval: 3, episodes: 3, videoEpisodes: 0}
      checkpointInterval: 1
      """, to: "dsrl.yaml")
  }

  /// `demonstrations.npz`, random steps of Push-T, and `pretrain.yaml` to learn from them.
  func writePretraining() throws {
    var demonstrations = Demonstrations(stateSize: 5, actionSize: 2)
    var random = RandomStream(seed: 1)
    demonstrations.states = random.uniform([60, 5]).elements
    demonstrations.actions = random.uniform([60, 2]).elements
    demonstrations.rewards = Array(repeating: 0, count: 60)
    demonstrations.terminals = Array(repeating: false, count: 60)
    demonstrations.lengths = [30, 30]
    try demonstrations.write(to: file("demonstrations.npz"))
    try write(
      """
      policy:
        environment: {name: push-t, parameters: {timeLimit: "40"}}
        network: {hiddenSizes: [16, 16, 16]}
        denoising: {stepCount: 4}
      demonstrations: {path: demonstrations.npz, validationFraction: 0.5}
      training: {batchSize: 16, batchCount: 40, emaStart: 10}
      evaluation: {interval: 20, episodes: 2, videoEpisodes: 0}
      reportInterval: 5
      checkpointInterval: 10
      """, to: "pretrain.yaml")
  }

  /// `actor.safetensors`, a behaviour policy for Hopper.
  func writeActor() throws {
    var random = RandomStream(seed: 4)
    let values = [
      "hidden0.weight": random.normal([2, 11]), "hidden0.bias": random.normal([2]),
      "mean.weight": random.normal([3, 2]), "mean.bias": random.normal([3]),
      "log_std.weight": random.normal([3, 2]), "log_std.bias": random.normal([3]),
    ]
    try SafetensorsFile.write(
      values.mapValues { StoredTensor($0) }, to: file("actor.safetensors"))
  }

  /// `train.yaml`, for a model of paper dolls.
  func writeImageTraining() throws {
    try write(
      """
      model:
        new:
          text: {vocabularySize: 600, tokenCount: 20, width: 16, layerCount: 1, headCount: 2}
          unet: {channels: [8, 16], headCount: 2, normGroupCount: 4}
      data: {path: "\(Self.dolls)"}
      training: {batchSize: 5, batchCount: 12, warmUpCount: 2}
      samples: {interval: 6, count: 2, stepCount: 3}
      reportInterval: 3
      checkpointInterval: 6
      """, to: "train.yaml")
  }

  /// `video.yaml`, for a model of characters of sprite sheets.
  func writeVideoTraining() throws {
    try write(
      """
      model:
        new:
          text: {vocabularySize: 600, tokenCount: 20, width: 16, layerCount: 1, headCount: 2}
          unet: {channels: [8, 16], readsPrompt: [false, true], headSize: 4, normGroupCount: 4}
      data:
        kind: sprites
        path: "\(Repository.golden("CaptionedMedia/sprites"))"
        frames: 3
        width: 8
        height: 8
        sprites: {heldOutActionCount: 2, heldOutTopwearCount: 2}
      training: {batchSize: 3, batchCount: 12, warmUpCount: 2}
      samples: {interval: 6, count: 2, stepCount: 3}
      reportInterval: 3
      checkpointInterval: 6
      """, to: "video.yaml")
  }

  /// What the model of `writeImageModel` has words for.
  static let imagePrompts = ["a red square", "a \"blue\" square: 50% off"]

  /// `model`, a text-to-image model that has learned nothing, and `scorer.sh`, which tells any two
  /// images apart, however small they are: 0 to 99 for each.
  func writeImageModel() throws {
    var configuration = NewModelConfiguration()
    configuration.text.vocabularySize = 600
    configuration.text.tokenCount = 12
    configuration.text.width = 16
    configuration.text.layerCount = 1
    configuration.text.headCount = 2
    configuration.unet.channels = [8, 16]
    configuration.unet.headCount = 2
    configuration.unet.normGroupCount = 4
    let prompts = Self.imagePrompts
    let vocabulary = BytePairVocabulary(trainedOn: prompts + prompts, size: 600)
    try configuration.makeModel(vocabulary: vocabulary, width: 8, height: 8, seed: 1)
      .write(folder: file("model"))
    try write(
      """
      separator='['
      for file in "$1"/*.png; do
        set -- $(cksum < "$file")
        printf '%s%s' "$separator" $(($1 % 100))
        separator=', '
      done
      echo ']'
      """, to: "score.sh")
  }

  /// The model of `writeImageModel`, `find.yaml` to learn its noise and `weights.yaml` to improve
  /// it.
  func writeImageImprovement() throws {
    try writeImageModel()
    let common = """
      model: model
      reward: "command:'sh \(file("score.sh"))'"
      prompts: [a red square]
      """
    try write(
      """
      \(common)
      sampling: {stepCount: 2}
      find: {imageCount: 4, iterations: 6}
      gridCount: 2
      checkpointInterval: 1
      """, to: "find.yaml")
    try write(
      """
      \(common)
      training: {iterations: 6, imagesPerPrompt: 4, stepCount: 2, rewardMinimumCount: 2}
      evaluation: {count: 2, interval: 3}
      checkpointInterval: 1
      """, to: "weights.yaml")
  }

  /// `reward.yaml`, for scores of paper dolls.
  func writeRewardTraining() throws {
    try write(
      """
      dolls: {folder: "\(Self.dolls)"}
      clip:
        width: 16
        imageLayerCount: 1
        textLayerCount: 1
        headCount: 2
        vocabularySize: 520
        optimization: {stepCount: 6, batchSize: 8, warmUpStepCount: 2}
      classifier:
        channels: [8, 8, 8]
        optimization: {stepCount: 6, batchSize: 8, warmUpStepCount: 2}
      validation: {count: 16, interval: 4}
      reportInterval: 2
      checkpointInterval: 2
      """, to: "reward.yaml")
  }
}
