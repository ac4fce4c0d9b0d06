import Diffusion
import GenerativeModels
import Media
import NeuralNetworks
import Tensors
import TextToImage

/// Images, or clips, that the policy drew, with every state on the way.
struct ImageRollout {
  /// What each image was drawn for, `N` of them.
  let prompts: [String]
  /// From the initial noise to the final sample, `[N, K + 1, ..., h, w, C]`.
  let states: Tensor
  /// The reduced log-densities of the steps that have one, under the policy that drew, `[N, S]`.
  let logProbabilities: Tensor
  /// Of `ownRows`.
  let media: [Media]
  /// The images that this rank drew, and that it alone has.
  let ownRows: Range<Int>
  /// Where the steps that have a density stand among the sampler's time steps, `S` of them.
  let stochasticSteps: [Int]

  /// The number of images, N.
  var count: Int { prompts.count }

  /// Some steps of some images.
  ///
  /// - Parameters:
  ///   - images: which images.
  ///   - steps: for each of them, positions in `stochasticSteps`.
  func transitions(
    of images: [Int], steps: [[Int]]
  ) -> (batch: RecordedTransitions, logProbabilities: [Float]) {
    let pairs = zip(images, steps).flatMap { image, steps in steps.map { (image, $0) } }
    let transitionCount = states.shape[1] - 1
    let batch = RecordedTransitions(
      stackedStates: states, firstIndex: 0,
      transitions: pairs.map { $0 * transitionCount + stochasticSteps[$1] })
    let elements = logProbabilities.elements
    let old = pairs.map { elements[$0 * stochasticSteps.count + $1] }
    return (batch, old)
  }
}

/// Draws images with the policy and keeps what an update needs.
struct ImageRolloutCollector<Pipeline: PromptedPipeline> {
  let pipeline: Pipeline
  let settings: GenerationSettings
  /// The Markov decision process that is played.
  let process: DenoisingProcess
  /// `[h, w, C]` of one sample, of a clip `[F, h, w, C]`.
  let sampleShape: [Int]
  /// The steps that draw noise: all of DDIM's but for a last one that leads to the clean sample, or
  /// so near to it that its density would be one of rounding errors.
  let stochasticSteps: [Int]
  let reduction: LogProbabilityReduction
  let seed: UInt64

  /// - Throws: `FileError` or `GenerationError` if the model cannot be sampled so.
  init(
    _ pipeline: Pipeline, settings: GenerationSettings,
    reduction: LogProbabilityReduction, seed: UInt64
  ) throws {
    self.pipeline = pipeline
    self.settings = settings
    self.reduction = reduction
    self.seed = seed
    let process = try pipeline.process(settings)
    self.process = process
    sampleShape = try pipeline.sampleShape(settings)
    let blank = Tensor.zeros([1, 1])
    stochasticSteps = (0..<process.transitionCount).filter { step in
      let transition = process.transition(from: blank, at: .shared(step)) { sample, _ in sample }
      return transition.standardDeviation.map { $0.scalar >= Self.minStd } ?? false
    }
  }

  /// Stable Diffusion's last step has 0.03.
  private static var minStd: Float { 0.01 }

  /// Draws an image for each prompt, each rank its part of them; the noise of image i depends on
  /// the seed, the iteration and i alone.
  func collect(
    _ prompts: [String], iteration: Int, over communicator: any Communicator = SingleProcess()
  ) throws -> ImageRollout {
    let own = communicator.fraction(of: prompts.count)
    let draws = RandomStream(seed: seed, purpose: "images", index: iteration)
    var states: [Tensor] = []
    var logProbabilities: [Tensor] = []
    var media: [Media] = []
    for start in stride(from: own.lowerBound, to: own.upperBound, by: settings.batchSize) {
      let rows = start..<min(own.upperBound, start + settings.batchSize)
      let (chain, logs) = try chain(
        prompts: Array(prompts[rows]), streams: rows.map { draws.split($0) })
      states.append(chain.stackedStates)
      logProbabilities.append(logs)
      media += try pipeline.media(ofSamples: chain.sample, settings: settings)
    }
    return ImageRollout(
      prompts: prompts,
      states: try communicator.gatherRows(.concatenated(states, along: 0)),
      logProbabilities: try communicator.gatherRows(.concatenated(logProbabilities, along: 0)),
      media: media, ownRows: own, stochasticSteps: stochasticSteps)
  }

  /// The chain of one batch and the log-probabilities `[B, S]` of its stochastic steps.
  private func chain(
    prompts: [String], streams: [RandomStream]
  ) throws -> (DenoisingChain, Tensor) {
    let denoiser = try pipeline.denoiser(
      prompts: prompts, negativePrompts: prompts.map { _ in "" }, settings: settings)
    var noise = SampleStreams(streams)
    var predictions: [Tensor] = []
    let initial = noise.noise([prompts.count] + sampleShape)
    let chain = try process.rollout(from: initial, keeping: .all, noise: &noise) {
      sample, timeSteps in
      let prediction = denoiser(sample, timeSteps)
      try pipeline.model.requireFinite(
        prediction, of: .network(step: predictions.count + 1, of: process.transitionCount),
        from: sample)
      predictions.append(prediction)
      return prediction
    }
    // A last step without noise has no density: the process cannot keep them all while it samples.
    let logProbabilities = stochasticSteps.map { step in
      let densities = process.logProbabilities(
        from: chain.states[step], to: chain.states[step + 1], at: .shared(step)
      ) { _, _ in predictions[step] }
      return reduction(densities).expandingDimension(at: 1)  // [B, 1]
    }
    return (chain, .concatenated(logProbabilities, along: 1))
  }
}
