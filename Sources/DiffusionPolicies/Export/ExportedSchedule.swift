import Diffusion

/// The chain of a diffusion policy in numbers, for samplers outside of Attune that run its network.
struct ExportedSchedule {
  /// By name; lists of numbers are JSON, noisiest step first.
  let texts: [String: String]

  /// - Throws: `EncodingError` if a number is not finite.
  init(_ policy: DiffusionPolicy, _ sampler: any ONNXSampler) throws {
    let process = policy.evaluating
    let steps = 0..<process.transitionCount
    let coefficients = steps.map { sampler.coefficients(at: $0) }
    var texts = [
      "schedule.prediction": "the noise e in x_t = signal_scale x_0 + noise_scale e",
      "schedule.estimate": "x_0 = clamp((x_t - noise_scale e) / signal_scale)",
      "schedule.mean":
        "estimate_factor x_0 + sample_factor x_t + noise_factor (x_t - signal_scale x_0) / noise_scale",
      "schedule.next": "mean + std clamp(a standard normal draw)",
      "schedule.time_step": try sampler.timeSteps.json,
      "schedule.signal_scale": try coefficients.map(\.signalScale).json,
      "schedule.noise_scale": try coefficients.map(\.noiseScale).json,
      "schedule.estimate_factor": try coefficients.map(\.estimate).json,
      "schedule.sample_factor": try coefficients.map(\.sample).json,
      "schedule.noise_factor": try coefficients.map(\.noise).json,
      "schedule.std": try steps.map { process.samplingStd(at: $0) ?? 0 }.json,
    ]
    texts["schedule.estimate_limit"] = sampler.estimateLimit.map { "\($0)" }
    texts["schedule.draw_limit"] = process.noiseLimit.map { "\($0)" }
    texts["schedule.final_limit"] = process.finalLimit.map { "\($0)" }
    let count = process.transitionCount
    if (1..<count).contains(policy.transitionCount) {
      texts["schedule.fine_tuned"] =
        "time steps up to \(Int(sampler.timeSteps[policy.firstTransition])) run the fine-tuned "
        + "weights, those above it the pretrained ones"
    }
    self.texts = texts
  }
}
