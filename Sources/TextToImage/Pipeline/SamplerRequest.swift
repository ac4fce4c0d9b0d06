import Diffusion
import Files
import GenerativeModels

/// What all samplers take from a scheduler's file.
struct SamplerRequest {
  let kind: SamplerKind
  let count: Int
  let eta: Float
  let schedule: NoiseSchedule
  let predictionType: PredictionType
  let spacing: TimeStepSpacing
  let offset: Int
  let estimateLimit: Float?
  let thresholding: DynamicThresholding?

  init(
    kind: SamplerKind, stepCount: Int, eta: Float, isForLatents: Bool,
    configuration: SchedulerConfiguration, reader: inout ConfigurationReader
  ) throws {
    self.kind = kind
    count = stepCount
    self.eta = eta
    schedule = configuration.schedule
    predictionType = configuration.predictionType
    let usual: TimeStepSpacing = [.ddim, .ddpm, .pndm].contains(kind) ? .leading : .linspace
    spacing = try reader.choice("timestep_spacing") ?? usual
    let ownOffset = try reader.integer("steps_offset", in: 0...100_000) ?? 0
    offset = isForLatents ? 1 : ownOffset
    // The classes' own defaults.
    let clamps = try reader.boolean("clip_sample") ?? [.ddim, .ddpm].contains(kind)
    let limit = Float(try reader.number("clip_sample_range") ?? 1)
    let canClamp = [.ddim, .ddpm, .heun, .lcm].contains(kind)
    estimateLimit = clamps && !isForLatents && canClamp ? limit : nil
    let canThreshold = [.ddim, .ddpm, .dpmSolver, .dpmSolverSDE, .unipc, .lcm].contains(kind)
    if !canThreshold { try reader.require("thresholding", false) }
    thresholding = try reader.thresholding()
    try check(reader)
  }

  /// What samplers would trap on.
  private func check(_ reader: ConfigurationReader) throws {
    let total = schedule.timeStepCount
    let needed = hasRoomAtEnd ? count + 1 : count
    guard count >= 1, needed <= total || kind == .flowMatchingEuler else {
      throw reader.error(
        "num_train_timesteps", "is \(total), too few for \(count) steps of \(kind.rawValue)")
    }
    let usesSpacing = ![.flowMatchingEuler, .lcm].contains(kind)
    let leads = spacing == .leading && (needed - 1) * (total / needed) + offset >= total
    guard !leads || !usesSpacing else {
      throw reader.error(
        "steps_offset", "is \(offset), which leads past the last time step with \(count) steps",
        advice: "take fewer steps")
    }
    let isPredictable =
      !schedule.hasZeroTerminalSNR || predictionType != .noise
      || ![.ddim, .ddpm, .lcm].contains(kind)
    guard isPredictable else {
      throw reader.error(
        "prediction_type", "is epsilon, which states nothing of pure noise (rescale_betas_zero_snr)"
      )
    }
  }

  /// Whether the spacing takes one time step more, at the clean end, and leaves it out.
  private var hasRoomAtEnd: Bool {
    [.dpmSolver, .dpmSolverSDE, .unipc].contains(kind) && spacing != .trailing
  }

  func sampler(_ reader: inout ConfigurationReader) throws -> any Sampler {
    switch kind {
    case .ddim:
      return DDIMSampler(
        schedule, count: count, predictionType: predictionType, spacing: spacing, offset: offset,
        eta: .fixed(eta), estimateLimit: estimateLimit, thresholding: thresholding,
        endsAtCleanSample: try reader.boolean("set_alpha_to_one") ?? true,
        previousTimeStep: .strided)
    case .ddpm:
      return DDPMSampler(
        schedule, count: count, predictionType: predictionType, spacing: spacing, offset: offset,
        variance: try variance(&reader), estimateLimit: estimateLimit, thresholding: thresholding)
    case .euler:
      try reader.require("interpolation_type", "linear")
      try reader.require("timestep_type", "discrete")
      return EulerSampler(
        schedule, count: count, predictionType: predictionType, spacing: spacing, offset: offset,
        sigmas: try reader.sigmaSpacing(), endsAtCleanSample: try reader.endsAtCleanSample())
    case .eulerAncestral:
      return EulerAncestralSampler(
        schedule, count: count, predictionType: predictionType, spacing: spacing, offset: offset)
    case .heun:
      return HeunSampler(
        schedule, count: count, predictionType: predictionType, spacing: spacing, offset: offset,
        sigmas: try reader.sigmaSpacing(), estimateLimit: estimateLimit)
    case .dpmSolver, .dpmSolverSDE: return try dpmSolver(&reader)
    case .unipc: return try unipc(&reader)
    case .pndm: return try pndm(&reader)
    case .lcm: return try lcm(&reader)
    case .flowMatchingEuler: return try flow(&reader)
    }
  }

  private func variance(_ reader: inout ConfigurationReader) throws -> DDPMSampler.Variance {
    let name = try reader.string("variance_type") ?? "fixed_small"
    switch name {
    case "fixed_small": return .fixedSmall
    case "fixed_small_log": return .fixedSmallLog
    case "fixed_large": return .fixedLarge
    default:
      throw reader.error(
        "variance_type", "is '\(name)', which Attune does not have",
        advice: "it has fixed_small, fixed_small_log and fixed_large")
    }
  }
}

// MARK: Solvers of higher order

extension SamplerRequest {
  private func dpmSolver(_ reader: inout ConfigurationReader) throws -> any Sampler {
    // The words of other solvers (DEIS, UniPC) stand for the defaults, as in diffusers.
    try reader.require("algorithm_type", "dpmsolver++", "sde-dpmsolver++", "deis")
    let correction: DPMSolverSampler.Correction =
      try reader.solverType(
        ["midpoint": .midpoint, "heun": .heun], of: ["logrho", "bh1", "bh2"]) ?? .midpoint
    try requireNoFlow(&reader)
    let order = try solverOrder(&reader)
    guard order != .third || kind != .dpmSolverSDE else {
      throw reader.error(
        "solver_order", "is 3, which \(kind.rawValue) does not have",
        advice: "make it 2, or choose the sampler \(SamplerKind.dpmSolver.rawValue)")
    }
    let sigmas = try reader.sigmaSpacing(allowsLu: true)
    let isCosine = try reader.string("beta_schedule") == "squaredcos_cap_v2"
    return DPMSolverSampler(
      schedule, count: count, predictionType: predictionType, spacing: spacing, offset: offset,
      order: order, correction: correction, isStochastic: kind == .dpmSolverSDE, sigmas: sigmas,
      roundsTimeSteps: !isCosine && [.karras, .lu].contains(sigmas?.shape),
      minLogRatio: try minLogRatio(&reader),
      lowersOrderAtEnd: try reader.boolean("lower_order_final") ?? true,
      hasFirstOrderEnd: try reader.boolean("euler_at_final") ?? false,
      endsAtCleanSample: try reader.endsAtCleanSample(), thresholding: thresholding)
  }

  private func solverOrder(_ reader: inout ConfigurationReader) throws -> DPMSolverSampler.Order {
    let number = try reader.integer("solver_order", in: 1...3) ?? 2
    return DPMSolverSampler.Order(rawValue: number) ?? .second
  }

  private func requireNoFlow(_ reader: inout ConfigurationReader) throws {
    try reader.require("use_flow_sigmas", false)
    try reader.require("use_dynamic_shifting", false)
  }

  /// lambda of the noisiest step is at least this.
  private func minLogRatio(_ reader: inout ConfigurationReader) throws -> Float {
    let key = "lambda_min_clipped"
    guard let value = reader.value(key) else { return -.infinity }
    guard case .number(let number) = value, number < .infinity else {
      throw reader.error(key, "is \(value.text), not a number or -Infinity")
    }
    let last = DPMSolverSampler.lastTimeStep(of: schedule, minLogRatio: Float(number))
    let isLeading = spacing == .leading
    let fits =
      last > count && (!isLeading || count * (last / (count + 1)) + offset < last)
    guard fits || number == -.infinity else {
      throw reader.error(
        key, "is \(number), which leaves \(last) time steps, too few for \(count) steps")
    }
    return Float(number)
  }

  private func unipc(_ reader: inout ConfigurationReader) throws -> any Sampler {
    let variant: UniPCSampler.Variant =
      try reader.solverType(
        ["bh1": .bh1, "bh2": .bh2], of: ["midpoint", "heun", "logrho"]) ?? .bh2
    try requireNoFlow(&reader)
    try reader.require("shift_terminal")
    try reader.require("solver_p")
    let order = try solverOrder(&reader)
    let sigmas = try reader.sigmaSpacing()
    let ends = try reader.endsAtCleanSample()
    let lowers = try reader.boolean("lower_order_final") ?? true
    // Otherwise numbers that are none come out, in diffusers too.
    guard lowers || order == .first || (!ends && sigmas == nil) else {
      throw reader.error(
        "lower_order_final", "is false, but the last step cannot be of higher order",
        advice: "make it true, or final_sigmas_type sigma_min without spaced sigmas")
    }
    let stepsInEstimates = try reader.boolean("predict_x0") ?? true
    guard stepsInEstimates || !ends else {
      throw reader.error(
        "predict_x0", "is false, but the last step leads to a clean sample",
        advice: "make it true, or final_sigmas_type sigma_min")
    }
    return UniPCSampler(
      schedule, count: count, predictionType: predictionType, spacing: spacing, offset: offset,
      order: order.rawValue, variant: variant, stepsInEstimates: stepsInEstimates,
      uncorrectedSteps: Set(try reader.integers("disable_corrector", in: 0...100_000) ?? []),
      sigmas: sigmas, lowersOrderAtEnd: lowers, endsAtCleanSample: ends,
      thresholding: thresholding)
  }

  private func pndm(_ reader: inout ConfigurationReader) throws -> any Sampler {
    guard predictionType != .sample else {
      throw reader.error(
        "prediction_type", "is sample, with which \(kind.rawValue) cannot step",
        advice: "choose another sampler")
    }
    guard !schedule.hasZeroTerminalSNR else {
      throw reader.error(
        "rescale_betas_zero_snr", "is true, but \(kind.rawValue) cannot start from pure noise",
        advice: "choose another sampler")
    }
    let skips = try reader.boolean("skip_prk_steps") ?? false
    let needed = PNDMSampler.minRungeKuttaSteps
    guard skips || count >= needed else {
      throw reader.error(
        "skip_prk_steps",
        "is false, so that \(kind.rawValue) needs at least \(needed) steps, not "
          + "\(count)", advice: "take more steps")
    }
    return PNDMSampler(
      schedule, count: count, predictionType: predictionType, spacing: spacing, offset: offset,
      skipsRungeKutta: skips,
      endsAtCleanSample: try reader.boolean("set_alpha_to_one") ?? false)
  }
}

// MARK: Few steps

extension SamplerRequest {
  private func lcm(_ reader: inout ConfigurationReader) throws -> any Sampler {
    let key = "original_inference_steps"
    let distilledCount = try reader.integer(key, in: 1...schedule.timeStepCount) ?? 50
    guard distilledCount <= schedule.timeStepCount else {
      throw reader.error(
        "num_train_timesteps",
        "is \(schedule.timeStepCount), fewer than \(key), which is \(distilledCount)")
    }
    guard count <= distilledCount else {
      throw reader.error(
        key, "is \(distilledCount), fewer than the \(count) steps that are wanted",
        advice: "take fewer steps")
    }
    let scale = try reader.number("timestep_scaling") ?? 10
    guard scale > 0 else { throw reader.error("timestep_scaling", "is \(scale), not above 0") }
    return LCMSampler(
      schedule, count: count, distilledCount: distilledCount, timeStepScale: Float(scale),
      predictionType: predictionType, estimateLimit: estimateLimit, thresholding: thresholding)
  }

  private func flow(_ reader: inout ConfigurationReader) throws -> any Sampler {
    for key in [
      "use_exponential_sigmas", "use_beta_sigmas", "use_dynamic_shifting", "use_karras_sigmas",
      "invert_sigmas", "stochastic_sampling",
    ] { try reader.require(key, false) }
    try reader.require("shift_terminal")
    let shift = try reader.number("shift") ?? 1
    guard shift > 0 else { throw reader.error("shift", "is \(shift), not above 0") }
    return FlowMatchingEulerSampler(
      FlowSchedule(timeStepCount: schedule.timeStepCount, shift: Float(shift)), count: count)
  }
}

extension ConfigurationReader {
  /// Dynamic thresholding, where it is asked for.
  fileprivate mutating func thresholding() throws -> DynamicThresholding? {
    guard try boolean("thresholding") ?? false else { return nil }
    let ratio = try number("dynamic_thresholding_ratio") ?? 0.995
    guard (0...1).contains(ratio) else {
      throw error("dynamic_thresholding_ratio", "is \(ratio), not within 0 ... 1")
    }
    let maximum = try number("sample_max_value") ?? 1
    guard maximum >= 1 else { throw error("sample_max_value", "is \(maximum), below 1") }
    return DynamicThresholding(ratio: ratio, maximum: Float(maximum))
  }

  /// How noise levels are spaced, where not by the time steps.
  fileprivate mutating func sigmaSpacing(allowsLu: Bool = false) throws -> SigmaSpacing? {
    let keys: [(String, SigmaSpacing.Shape)] = [
      ("use_karras_sigmas", .karras), ("use_lu_lambdas", .lu),
      ("use_exponential_sigmas", .exponential), ("use_beta_sigmas", .beta),
    ]
    var chosen: [(key: String, shape: SigmaSpacing.Shape)] = []
    for (key, shape) in keys where shape != .lu || allowsLu {
      if try boolean(key) ?? false { chosen.append((key, shape)) }
    }
    guard let first = chosen.first else { return nil }
    guard chosen.count == 1 else {
      throw error(first.key, "is true, and so is \(chosen[1].key)", advice: "leave one of them")
    }
    guard first.shape != .lu else { return SigmaSpacing(.lu) }
    let bounds = [try number("sigma_min"), try number("sigma_max")]
    for (key, bound) in zip(["sigma_min", "sigma_max"], bounds) {
      if let bound, bound <= 0 { throw error(key, "is \(bound), not above 0") }
    }
    if let minimum = bounds[0], let maximum = bounds[1], minimum >= maximum {
      throw error("sigma_min", "is \(minimum), not below sigma_max, which is \(maximum)")
    }
    return SigmaSpacing(first.shape, minimum: bounds[0], maximum: bounds[1])
  }

  /// Whether the last step leads to sigma = 0.
  fileprivate mutating func endsAtCleanSample() throws -> Bool {
    let end = try string("final_sigmas_type") ?? "zero"
    guard ["zero", "sigma_min"].contains(end) else {
      throw error("final_sigmas_type", "is '\(end)', not zero or sigma_min")
    }
    return end == "zero"
  }

  /// A solver's variant; nil where the file has none, or the word of another class.
  fileprivate mutating func solverType<Type>(
    _ known: [String: Type], of others: [String]
  ) throws -> Type? {
    guard let name = try string("solver_type"), !others.contains(name) else { return nil }
    guard let type = known[name] else {
      throw error(
        "solver_type", "is '\(name)', which Attune does not have",
        advice: "it has \((known.keys.sorted() + others).joined(separator: ", "))")
    }
    return type
  }
}
