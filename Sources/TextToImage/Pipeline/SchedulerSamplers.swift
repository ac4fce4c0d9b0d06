import Diffusion
import Files
import GenerativeModels

extension SchedulerConfiguration {
  /// A sampler for the model.
  ///
  /// - Parameters:
  ///   - kind: the file's own if nil.
  ///   - stepCount: the number of denoising steps.
  ///   - eta: how much of DDPM's noise DDIM draws.
  ///   - isForLatents: whether estimates are never clamped and `steps_offset` is 1 whatever the
  ///     file says: what diffusers' Stable Diffusion pipeline does.
  /// - Throws: `SamplerChoiceError` if another sampler must be chosen; `FileError` if the file asks
  ///   for something that the sampler does not do, or for more steps than it has; `GenerationError`
  ///   for an eta that the sampler has no use for.
  public func sampler(
    _ kind: SamplerKind? = nil, stepCount: Int, eta: Float = 0, isForLatents: Bool
  ) throws -> any Sampler {
    let isFlow = self.kind == .flowMatchingEuler
    let fitting = SamplerKind.allCases.filter { ($0 == .flowMatchingEuler) == isFlow }
    guard let kind = kind ?? self.kind, fitting.contains(kind) else {
      throw SamplerChoiceError(
        path: path, className: className, chosen: kind, choices: fitting)
    }
    guard eta == 0 || kind == .ddim else { throw GenerationError.eta(eta, kind) }
    var reader = try ConfigurationReader(json, path: path)
    let request = try SamplerRequest(
      kind: kind, stepCount: stepCount, eta: eta, isForLatents: isForLatents,
      configuration: self, reader: &reader)
    return try request.sampler(&reader)
  }
}

/// A model's scheduler that Attune lacks, or that does not go with the sampler asked for: another
/// must be chosen.
public struct SamplerChoiceError: Error, Sendable, CustomStringConvertible {
  /// The scheduler's file.
  public let path: String
  /// The class that the model folder names.
  public let className: String
  /// The sampler asked for; nil for the model's own.
  public let chosen: SamplerKind?
  /// Those that the model can be sampled with.
  public let choices: [SamplerKind]
  /// The option or setting by which one is chosen, such as `--sampler`; nil where nobody has said.
  public var option: String?

  /// What was found, and how to choose.
  public var description: String {
    let problem =
      chosen.map { "whose models the sampler \($0.rawValue) cannot sample" }
      ?? "which Attune does not have"
    return
      "\(path.printable): the model's scheduler is '\(className.printable)', \(problem); choose "
      + "a sampler\(option.map { " with \($0)" } ?? ""): "
      + choices.map(\.rawValue).joined(separator: ", ")
  }
}

/// What all samplers take from a scheduler's file.
private struct SamplerRequest {
  let kind: SamplerKind
  let count: Int
  let eta: Float
  let schedule: NoiseSchedule
  let predictionType: PredictionType
  let spacing: TimeStepSpacing
  let offset: Int
  let estimateLimit: Float?

  init(
    kind: SamplerKind, stepCount: Int, eta: Float, isForLatents: Bool,
    configuration: SchedulerConfiguration, reader: inout ConfigurationReader
  ) throws {
    self.kind = kind
    count = stepCount
    self.eta = eta
    schedule = configuration.schedule
    predictionType = configuration.predictionType
    let usual: TimeStepSpacing = [.ddim, .ddpm].contains(kind) ? .leading : .linspace
    spacing = try reader.choice("timestep_spacing") ?? usual
    let ownOffset = try reader.integer("steps_offset", in: 0...100_000) ?? 0
    offset = isForLatents ? 1 : ownOffset
    // The classes' own defaults.
    let clamps = try reader.boolean("clip_sample") ?? [.ddim, .ddpm].contains(kind)
    let limit = Float(try reader.number("clip_sample_range") ?? 1)
    estimateLimit = clamps && !isForLatents && [.ddim, .ddpm, .heun].contains(kind) ? limit : nil
    try check(reader)
  }

  /// What samplers would trap on.
  private func check(_ reader: ConfigurationReader) throws {
    let total = schedule.timeStepCount
    let isSolver = kind == .dpmSolver && spacing != .trailing
    let needed = isSolver ? count + 1 : count
    guard count >= 1, needed <= total || kind == .flowMatchingEuler else {
      throw reader.error(
        "num_train_timesteps", "is \(total), too few for \(count) steps of \(kind.rawValue)")
    }
    let leads = spacing == .leading && (needed - 1) * (total / needed) + offset >= total
    guard !leads || kind == .flowMatchingEuler else {
      throw reader.error(
        "steps_offset", "is \(offset), which leads past the last time step with \(count) steps",
        advice: "take fewer steps")
    }
    let isPredictable =
      !schedule.hasZeroTerminalSNR || predictionType != .noise
      || ![.ddim, .ddpm].contains(kind)
    guard isPredictable else {
      throw reader.error(
        "prediction_type", "is epsilon, which states nothing of pure noise (rescale_betas_zero_snr)"
      )
    }
  }

  func sampler(_ reader: inout ConfigurationReader) throws -> any Sampler {
    try reader.require("thresholding", false)
    switch kind {
    case .ddim:
      return DDIMSampler(
        schedule, count: count, predictionType: predictionType, spacing: spacing, offset: offset,
        eta: .fixed(eta), estimateLimit: estimateLimit,
        endsAtCleanSample: try reader.boolean("set_alpha_to_one") ?? true,
        previousTimeStep: .strided)
    case .ddpm:
      return DDPMSampler(
        schedule, count: count, predictionType: predictionType, spacing: spacing, offset: offset,
        variance: try variance(&reader), estimateLimit: estimateLimit)
    case .euler:
      try requireUsualSigmas(&reader)
      try reader.require("interpolation_type", "linear")
      try reader.require("timestep_type", "discrete")
      try reader.require("final_sigmas_type", "zero")
      let usesKarrasSigmas = try reader.boolean("use_karras_sigmas") ?? false
      // Nothing else in diffusers' class reads them.
      if usesKarrasSigmas {
        for key in ["sigma_min", "sigma_max"] { try reader.require(key) }
      }
      return EulerSampler(
        schedule, count: count, predictionType: predictionType, spacing: spacing, offset: offset,
        usesKarrasSigmas: usesKarrasSigmas)
    case .eulerAncestral:
      return EulerAncestralSampler(
        schedule, count: count, predictionType: predictionType, spacing: spacing, offset: offset)
    case .heun:
      try requireUsualSigmas(&reader)
      return HeunSampler(
        schedule, count: count, predictionType: predictionType, spacing: spacing, offset: offset,
        usesKarrasSigmas: try reader.boolean("use_karras_sigmas") ?? false,
        estimateLimit: estimateLimit)
    case .dpmSolver: return try solver(&reader)
    case .flowMatchingEuler: return try flow(&reader)
    }
  }

  private func requireUsualSigmas(_ reader: inout ConfigurationReader) throws {
    try reader.require("use_exponential_sigmas", false)
    try reader.require("use_beta_sigmas", false)
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

  private func solver(_ reader: inout ConfigurationReader) throws -> any Sampler {
    try requireUsualSigmas(&reader)
    // The words of other solvers (DEIS, UniPC) stand for the defaults, as in diffusers.
    try reader.require("algorithm_type", "dpmsolver++", "deis")
    try reader.require("solver_type", "midpoint", "logrho", "bh1", "bh2")
    try reader.require("euler_at_final", false)
    try reader.require("use_lu_lambdas", false)
    try reader.require("use_flow_sigmas", false)
    try reader.require("use_dynamic_shifting", false)
    try reader.require("lambda_min_clipped", .number(-.infinity))
    let order = try reader.integer("solver_order", in: 1...2) ?? 2
    let end = try reader.string("final_sigmas_type") ?? "zero"
    guard ["zero", "sigma_min"].contains(end) else {
      throw reader.error("final_sigmas_type", "is '\(end)', not zero or sigma_min")
    }
    return DPMSolverSampler(
      schedule, count: count, predictionType: predictionType, spacing: spacing, offset: offset,
      order: order == 1 ? .first : .second,
      usesKarrasSigmas: try reader.boolean("use_karras_sigmas") ?? false,
      lowersOrderAtEnd: try reader.boolean("lower_order_final") ?? true,
      endsAtCleanSample: end == "zero")
  }

  private func flow(_ reader: inout ConfigurationReader) throws -> any Sampler {
    try requireUsualSigmas(&reader)
    for key in [
      "use_dynamic_shifting", "use_karras_sigmas", "invert_sigmas", "stochastic_sampling",
    ] { try reader.require(key, false) }
    try reader.require("shift_terminal")
    let shift = try reader.number("shift") ?? 1
    guard shift > 0 else { throw reader.error("shift", "is \(shift), not above 0") }
    return FlowMatchingEulerSampler(
      FlowSchedule(timeStepCount: schedule.timeStepCount, shift: Float(shift)), count: count)
  }
}
