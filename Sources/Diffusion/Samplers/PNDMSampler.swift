import Tensors

/// Pseudo numerical methods for diffusion models (Liu et al., arXiv:2202.09778): a linear multistep
/// method of fourth order on the noise, along the steps of DDIM. The scheduler that Stable Diffusion
/// 1 is saved with.
///
/// The first steps either run the network four times each (Runge-Kutta, `pndm` in the paper), or the
/// first is made twice (`skip_prk_steps` in diffusers, as Stable Diffusion has it). It is
/// deterministic and remembers earlier steps, so that it cannot be fine-tuned by policy gradients.
public struct PNDMSampler: Sampler {
  /// The diffusion times, noisiest first; one or nine more than there are steps.
  public let timeSteps: [Float]
  /// What the network predicts: noise or velocity.
  public let predictionType: PredictionType
  private let runs: [Run]

  /// The least number of steps with Runge-Kutta at the start.
  package static let minRungeKuttaSteps = 4

  /// What becomes of one run of the network.
  private struct Run {
    enum Role {
      /// One of the four of a Runge-Kutta step.
      case rungeKutta(stage: Int)
      /// The first, by which a trial step is made.
      case trial
      /// The first once more, with the mean of both outputs.
      case correction
      /// With what is remembered.
      case multistep
    }

    let time: Int
    let role: Role
    /// alphaBar where the step starts.
    let alphaBar: Float
    /// alphaBar where it leads.
    let nextAlphaBar: Float
  }

  /// - Parameters:
  ///   - schedule: the noise levels of training.
  ///   - count: the number of steps; at least 4 with Runge-Kutta.
  ///   - predictionType: noise or velocity.
  ///   - spacing: how time steps are chosen from those of training.
  ///   - offset: added to leading time steps; `steps_offset` in diffusers.
  ///   - skipsRungeKutta: whether the first step is made twice, in place of three Runge-Kutta steps;
  ///     `skip_prk_steps`.
  ///   - endsAtCleanSample: whether the last step leads to alphaBar = 1 rather than alphaBar_0;
  ///     `set_alpha_to_one`.
  public init(
    _ schedule: NoiseSchedule, count: Int, predictionType: PredictionType = .noise,
    spacing: TimeStepSpacing = .leading, offset: Int = 0, skipsRungeKutta: Bool = true,
    endsAtCleanSample: Bool = false
  ) {
    precondition(predictionType != .sample, "PNDM needs a network that predicts noise or velocity")
    precondition(
      skipsRungeKutta || count >= Self.minRungeKuttaSteps,
      "PNDM with Runge-Kutta needs \(Self.minRungeKuttaSteps) steps, not \(count)")
    let times = spacing.timeSteps(count, of: schedule.timeStepCount, offset: offset)
    let stride = schedule.timeStepCount / count
    func alphaBar(_ time: Int) -> Float {
      time >= 0
        ? schedule.cumulativeAlphas[time] : endsAtCleanSample ? 1 : schedule.cumulativeAlphas[0]
    }
    func run(_ time: Int, _ role: Run.Role, from start: Int, to end: Int) -> Run {
      Run(time: time, role: role, alphaBar: alphaBar(start), nextAlphaBar: alphaBar(end))
    }
    var runs: [Run] = []
    if skipsRungeKutta {
      runs.append(run(times[0], .trial, from: times[0], to: times[0] - stride))
      if count > 1 {
        runs.append(run(times[1], .correction, from: times[1] + stride, to: times[1]))
      }
    } else {
      for (start, end) in zip(times, times.dropFirst()).prefix(3) {
        let middle = end + stride / 2
        let stages = [(start, start - stride / 2), (middle, middle), (middle, end), (end, end)]
        for (stage, (time, next)) in stages.enumerated() {
          runs.append(run(time, .rungeKutta(stage: stage), from: start, to: next))
        }
      }
    }
    runs += times.dropFirst(skipsRungeKutta ? 1 : 3).map {
      run($0, .multistep, from: $0, to: $0 - stride)
    }
    self.runs = runs
    timeSteps = runs.map { Float($0.time) }
    self.predictionType = predictionType
  }

  /// The step along the combined outputs; deterministic.
  public func transition(
    from sample: Tensor, prediction: Tensor, at index: Int, memory: inout SamplerMemory
  ) -> Transition {
    let run = runs[index]
    let start = start(of: run, sample: sample, &memory)
    let output = combined(prediction, of: run, &memory)
    return Transition(mean: Self.step(run, from: start, output: output, predictionType))
  }

  /// Where the step starts: trial steps are made again from the same sample.
  private func start(of run: Run, sample: Tensor, _ memory: inout SamplerMemory) -> Tensor {
    switch run.role {
    case .multistep: return sample
    case .trial, .rungeKutta(stage: 0):
      memory.previousSample = sample
      return sample
    case .correction, .rungeKutta:
      guard let start = memory.previousSample else {
        preconditionFailure("PNDM's run at time \(run.time) needs the one before it")
      }
      return start
    }
  }

  /// The network's output, joined with those before it.
  private func combined(_ output: Tensor, of run: Run, _ memory: inout SamplerMemory) -> Tensor {
    switch run.role {
    case .rungeKutta(let stage):
      if stage == 0 { memory.remember(output, atMost: 4) }
      let sum = memory.sum ?? .zeros(output.shape)
      guard stage == 3 else {
        memory.sum = sum + output * (stage == 0 ? 1 / 6 : 1 / 3)
        return output
      }
      memory.sum = nil
      return sum + output * (1 / 6)
    case .trial:
      memory.remember(output, atMost: 4)
      return output
    case .correction:
      return (output + memory.output(0)) * 0.5
    case .multistep:
      memory.remember(output, atMost: 4)
      return Self.extrapolated(memory)
    }
  }

  /// Adams and Bashforth's formula of the order that the memory allows.
  private static func extrapolated(_ memory: SamplerMemory) -> Tensor {
    switch memory.outputs.count {
    case 1: return memory.output(0)
    case 2: return (memory.output(0) * 3 - memory.output(1)) * 0.5
    case 3:
      return (memory.output(0) * 23 - memory.output(1) * 16 + memory.output(2) * 5) * (1 / 12)
    default:
      let recent = memory.output(0) * 55 - memory.output(1) * 59
      return (recent + memory.output(2) * 37 - memory.output(3) * 9) * (1 / 24)
    }
  }

  /// Equation 9 of the paper, with the output as noise.
  private static func step(
    _ run: Run, from sample: Tensor, output: Tensor, _ predictionType: PredictionType
  ) -> Tensor {
    let (alphaBar, next) = (run.alphaBar, run.nextAlphaBar)
    let noise = predictionType.noise(
      output, sample: sample, signalScale: Tensor(alphaBar.squareRoot()),
      noiseScale: Tensor((1 - alphaBar).squareRoot()))
    let denominator =
      alphaBar * (1 - next).squareRoot() + (alphaBar * (1 - alphaBar) * next).squareRoot()
    return sample * (next / alphaBar).squareRoot() - noise * ((next - alphaBar) / denominator)
  }
}
