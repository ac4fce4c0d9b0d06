import Diffusion
import Tensors

/// Images that the policy drew, with every state on the way.
struct ImageRollout {
  /// What each image was drawn for, `N` of them.
  let prompts: [String]
  /// From the initial noise to the final sample, `[N, K + 1, h, w, C]`.
  let states: Tensor
  /// The reduced log-densities of the steps that have one, under the policy that drew, `[N, S]`.
  let logProbabilities: Tensor
  /// `[N, H, W, 3]` in 0 ... 1.
  let images: Tensor
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
  ) -> (batch: TransitionBatch, logProbabilities: [Float]) {
    let pairs = zip(images, steps).flatMap { image, steps in steps.map { (image, $0) } }
    let transitionCount = states.shape[1] - 1
    let batch = TransitionBatch(
      stackedStates: states, firstIndex: 0,
      transitions: pairs.map { $0 * transitionCount + stochasticSteps[$1] })
    let elements = logProbabilities.elements
    let old = pairs.map { elements[$0 * stochasticSteps.count + $1] }
    return (batch, old)
  }
}
