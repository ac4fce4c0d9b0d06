import Foundation
import Tensors

/// UniPC (Zhao et al., arXiv:2302.04867): a predictor of up to third order, and a corrector that
/// takes what the network says of the new sample back into the step that made it, at no further run.
///
/// The paper's symbols: lambda = ln(alpha / sigma), h the step in lambda, B(h) the factor of the
/// residuals, r_k the place of an earlier step in units of h. It is deterministic and remembers
/// earlier steps, so that it cannot be fine-tuned by policy gradients.
public struct UniPCSampler: Sampler {
  /// B(h), `solver_type` in diffusers.
  public enum Variant: String, Sendable, CaseIterable, Codable {
    /// B_1(h) = h: for unguided sampling.
    case bh1
    /// B_2(h) = exp(h) - 1.
    case bh2
  }

  /// The diffusion times, noisiest first.
  public let timeSteps: [Float]
  /// What the network predicts.
  public let predictionType: PredictionType
  /// Whether steps are made in estimates of x_0 rather than of the noise; `predict_x0`.
  public let stepsInEstimates: Bool
  /// Dynamic thresholding of estimates of x_0.
  public let thresholding: DynamicThresholding?
  private let order: Int
  private let signalScales: [Float]
  private let noiseScales: [Float]
  private let predictors: [Step]
  /// Those of the step before; nil where nothing is corrected.
  private let correctors: [Step?]

  /// The factors of one step: x_next = sample x + output m_0 + sum of residuals (m_i - m_0).
  private struct Step {
    var sample: Float
    var output: Float
    /// Of earlier outputs, the latest first; a corrector's own output comes last.
    var residuals: [Float]
  }

  /// - Parameters:
  ///   - schedule: the noise levels of training.
  ///   - count: the number of steps.
  ///   - predictionType: what the network predicts.
  ///   - spacing: how time steps are chosen from those of training.
  ///   - offset: added to the time steps; `steps_offset` in diffusers.
  ///   - order: 1 to 3.
  ///   - variant: B(h).
  ///   - stepsInEstimates: of x_0 rather than the noise.
  ///   - uncorrectedSteps: steps that the corrector leaves alone; `disable_corrector`.
  ///   - sigmas: how noise levels are spaced, where not by the time steps.
  ///   - lowersOrderAtEnd: makes the last step one of first order, the one before of second;
  ///     `lower_order_final`. Needed where a step of higher order cannot end at a clean sample.
  ///   - endsAtCleanSample: ends at sigma = 0 rather than at the minimum level; needs
  ///     `stepsInEstimates`. `final_sigmas_type`.
  ///   - thresholding: of estimates of x_0.
  public init(
    _ schedule: NoiseSchedule, count: Int, predictionType: PredictionType = .noise,
    spacing: TimeStepSpacing = .linspace, offset: Int = 0, order: Int = 2,
    variant: Variant = .bh2, stepsInEstimates: Bool = true, uncorrectedSteps: Set<Int> = [],
    sigmas: SigmaSpacing? = nil, lowersOrderAtEnd: Bool = true, endsAtCleanSample: Bool = true,
    thresholding: DynamicThresholding? = nil
  ) {
    precondition((1...3).contains(order), "UniPC of order \(order)")
    precondition(
      !endsAtCleanSample || stepsInEstimates && (lowersOrderAtEnd || order == 1),
      "UniPC ends at a clean sample by a step of first order in estimates of x_0")
    let levels = NoiseLevels.forSolver(
      schedule, count: count, spacing: spacing, offset: offset,
      lastTimeStep: schedule.timeStepCount, sigmas: sigmas, final: endsAtCleanSample ? 0 : nil,
      roundsTimeSteps: sigmas?.shape == .karras)
    timeSteps = levels.timeSteps
    self.predictionType = predictionType
    self.stepsInEstimates = stepsInEstimates
    self.thresholding = thresholding
    self.order = order
    signalScales = levels.sigmas.map { 1 / ($0 * $0 + 1).squareRoot() }
    noiseScales = zip(levels.sigmas, signalScales).map { $0 * $1 }
    let equations = Equations(
      signalScales: signalScales.map(Double.init), noiseScales: noiseScales.map(Double.init),
      variant: variant, stepsInEstimates: stepsInEstimates)
    let orders = (0..<count).map { index in
      min(order, index + 1, lowersOrderAtEnd ? count - index : order)
    }
    predictors = orders.enumerated().map { index, order in
      equations.step(at: index, order: order, isCorrector: false)
    }
    correctors = (0..<count).map { index in
      guard index > 0, !uncorrectedSteps.contains(index - 1) else { return nil }
      return equations.step(at: index - 1, order: orders[index - 1], isCorrector: true)
    }
  }

  /// The last step corrected, and the next one; deterministic.
  public func transition(
    from sample: Tensor, prediction: Tensor, at index: Int, memory: inout SamplerMemory
  ) -> Transition {
    // 1. What steps are made in: x_0 or the noise.
    let output = converted(prediction, sample: sample, at: index)
    // 2. The corrector: the last step again, from where it started.
    var sample = sample
    if let corrector = correctors[index], let start = memory.previousSample {
      sample = apply(corrector, to: start, memory: memory, new: output)
    }
    memory.previousSample = sample
    memory.remember(output, atMost: order)
    // 3. The predictor.
    return Transition(mean: apply(predictors[index], to: sample, memory: memory, new: nil))
  }

  private func converted(_ prediction: Tensor, sample: Tensor, at index: Int) -> Tensor {
    let (signal, noise) = (Tensor(signalScales[index]), Tensor(noiseScales[index]))
    guard stepsInEstimates else {
      return predictionType.noise(
        prediction, sample: sample, signalScale: signal, noiseScale: noise)
    }
    return predictionType.estimate(
      prediction, sample: sample, signalScale: signal, noiseScale: noise
    ).limited(to: nil, or: thresholding)
  }

  private func apply(
    _ step: Step, to sample: Tensor, memory: SamplerMemory, new: Tensor?
  ) -> Tensor {
    let latest = memory.output(0)
    var result = sample * step.sample + latest * step.output
    for (age, factor) in step.residuals.enumerated() {
      let isNew = new != nil && age == step.residuals.count - 1
      let output = isNew ? new ?? latest : memory.output(age + 1)
      result = result + (output - latest) * factor
    }
    return result
  }

  /// The linear equations for the factors of residuals (the paper's equation 5).
  private struct Equations {
    let signalScales: [Double]
    let noiseScales: [Double]
    let variant: Variant
    let stepsInEstimates: Bool

    private func logRatio(_ index: Int) -> Double {
      log(signalScales[index]) - log(noiseScales[index])
    }

    /// The step from a level to the next.
    func step(at index: Int, order: Int, isCorrector: Bool) -> Step {
      let h = logRatio(index + 1) - logRatio(index)
      let signed = stepsInEstimates ? -h : h
      let growth = expm1(signed)
      // What the residuals and the latest output are scaled by, and what the sample is.
      let scale = stepsInEstimates ? signalScales[index + 1] : noiseScales[index + 1]
      let kept = stepsInEstimates ? noiseScales : signalScales
      let factor = variant == .bh1 ? signed : growth
      // r_k of earlier steps, and 1 for the end of this one.
      let earlier = (1..<order).map { (logRatio(index - $0) - logRatio(index)) / h }
      let weights = weights(
        at: isCorrector ? earlier + [1] : earlier, signed: signed, growth: growth, factor: factor,
        isFirst: order == 1, isSecondPredictor: order == 2 && !isCorrector)
      return Step(
        sample: Float(kept[index + 1] / kept[index]), output: Float(-scale * growth),
        residuals: zip(weights, earlier + [1]).map { weight, place in
          Float(-scale * factor * weight / place)
        })
    }

    private func weights(
      at places: [Double], signed: Double, growth: Double, factor: Double, isFirst: Bool,
      isSecondPredictor: Bool
    ) -> [Double] {
      // The paper's shortcuts, which hold up to the order of the method.
      guard !isFirst, !isSecondPredictor else { return places.map { _ in 0.5 } }
      var right: [Double] = []
      var (phi, factorial) = (growth / signed - 1, 1.0)
      for index in places.indices {
        right.append(phi * factorial / factor)
        factorial *= Double(index + 2)
        phi = phi / signed - 1 / factorial
      }
      let rows = places.indices.map { power in places.map { pow($0, Double(power)) } }
      return solution(of: rows, right: right)
    }

    /// By Gauss's elimination, exchanging rows.
    private func solution(of rows: [[Double]], right: [Double]) -> [Double] {
      var rows = zip(rows, right).map { $0 + [$1] }
      let count = rows.count
      for column in 0..<count {
        let candidates = (column..<count).max { abs(rows[$0][column]) < abs(rows[$1][column]) }
        rows.swapAt(column, candidates ?? column)
        for row in 0..<count where row != column {
          let ratio = rows[row][column] / rows[column][column]
          for place in column...count { rows[row][place] -= ratio * rows[column][place] }
        }
      }
      return (0..<count).map { rows[$0][count] / rows[$0][$0] }
    }
  }
}
