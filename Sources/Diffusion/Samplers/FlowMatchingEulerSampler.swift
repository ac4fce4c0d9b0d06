import Tensors

/// Euler's method along the flow that a flow-matching network predicts (Lipman et al.,
/// arXiv:2210.02747; as in Stable Diffusion 3, arXiv:2403.03206).
public struct FlowMatchingEulerSampler: MarkovSampler {
  /// sigma times the schedule's `timeStepCount`, noisiest first.
  public let timeSteps: [Float]
  /// sigma before each step, and 0.
  public let noiseLevels: [Float]

  /// - Parameters:
  ///   - schedule: the noise levels of training.
  ///   - count: the number of steps.
  public init(_ schedule: FlowSchedule, count: Int) {
    precondition(count > 0, "a sampler needs at least one step")
    noiseLevels = schedule.noiseLevels(count: count)
    timeSteps = noiseLevels.dropLast().map { $0 * Float(schedule.timeStepCount) }
  }

  /// x + (sigma_next - sigma) flow; deterministic.
  public func transition(
    from sample: Tensor, prediction: Tensor, at indices: Rowwise<Int>
  ) -> Transition {
    let sigma = indices.entries(of: noiseLevels, rank: sample.rank)
    let next = indices.map { $0 + 1 }.entries(of: noiseLevels, rank: sample.rank)
    return Transition(mean: sample + (next - sigma) * prediction)
  }
}
