import Diffusion
import Files
import GenerativeModels

/// How a model was noised in training and how it wants to be sampled: diffusers'
/// `scheduler_config.json`.
///
/// As in diffusers, any sampler may be used with a model: it takes the keys that it knows from the
/// file and its own defaults for the others.
public struct SchedulerConfiguration: Sendable {
  /// The sampler that the file asks for; nil if Attune does not have it, and one must be chosen.
  public let kind: SamplerKind?
  /// The noise levels of training.
  public let schedule: NoiseSchedule
  /// What the network predicts; flow-matching models predict the flow whatever this says.
  public let predictionType: PredictionType
  /// What the file says.
  public let json: JSONValue
  let path: String
  let className: String

  /// The betas of training.
  public enum Betas: Sendable, Equatable {
    /// Evenly spaced between the two.
    case linear(first: Double, last: Double)
    /// Square roots evenly spaced.
    case scaledLinear(first: Double, last: Double)
    /// A cumulative product that is a squared cosine.
    case squaredCosine
  }

  /// The scheduler of a model that is trained here.
  ///
  /// - Parameters:
  ///   - kind: the sampler that other programs use by default.
  ///   - betas: the noise levels.
  ///   - predictionType: what the network predicts.
  ///   - timeStepCount: the number of training time steps.
  ///   - spacing: how samplers choose time steps.
  ///   - clampsEstimates: whether samplers clamp estimates of the sample to -1 ... 1.
  ///   - hasZeroTerminalSNR: whether the last time step is pure noise.
  /// - Throws: `FileError` if the parts do not fit one another.
  public init(
    kind: SamplerKind = .ddim, betas: Betas, predictionType: PredictionType,
    timeStepCount: Int = 1_000, spacing: TimeStepSpacing = .trailing,
    clampsEstimates: Bool = false, hasZeroTerminalSNR: Bool = false
  ) throws {
    var members: [String: JSONValue] = [
      "_class_name": .string(kind.schedulerClass), "_diffusers_version": "0.30.0",
      "num_train_timesteps": .number(Double(timeStepCount)),
      "prediction_type": .string(predictionType.schedulerName),
      "timestep_spacing": .string(spacing.rawValue), "steps_offset": 0,
      "clip_sample": .boolean(clampsEstimates), "clip_sample_range": 1,
      "set_alpha_to_one": true, "rescale_betas_zero_snr": .boolean(hasZeroTerminalSNR),
    ]
    if kind == .dpmSolverSDE { members["algorithm_type"] = "sde-dpmsolver++" }
    if kind == .pndm { members["skip_prk_steps"] = true }
    switch betas {
    case .linear(let first, let last):
      members["beta_schedule"] = "linear"
      members["beta_start"] = .number(first)
      members["beta_end"] = .number(last)
    case .scaledLinear(let first, let last):
      members["beta_schedule"] = "scaled_linear"
      members["beta_start"] = .number(first)
      members["beta_end"] = .number(last)
    case .squaredCosine:
      members["beta_schedule"] = "squaredcos_cap_v2"
    }
    try self.init(json: .object(members), path: "scheduler_config.json")
  }

  /// Reads a `scheduler_config.json`.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - className: the class that `model_index.json` names, which wins over the file's own
  ///     `_class_name`, as in diffusers: who changes a model's scheduler often edits that line only.
  /// - Throws: `FileError` naming the key if one asks for something that Attune does not have.
  public init(path: String, className: String? = nil) throws {
    try self.init(json: JSONValue(path: path), path: path, className: className)
  }

  /// Reads what a file would say.
  ///
  /// - Throws: `FileError`, with `path` as the file's name.
  public init(json: JSONValue, path: String, className: String? = nil) throws {
    var reader = try ConfigurationReader(json, path: path)
    let ownName = try reader.string("_class_name")
    guard let name = className ?? ownName else {
      throw reader.error("_class_name", "is missing", advice: "name a scheduler_config.json")
    }
    self.className = name
    kind = try reader.samplerKind(className: name)
    self.json = json.withClassName(name)
    self.path = path
    predictionType = try reader.predictionType()
    schedule = try reader.noiseSchedule(className: ownName ?? name)
    reader.ignoreSchedulerKeys()
    // A class that Attune lacks has keys of its own. They say how it steps, and another sampler, for
    // which it must be left, takes only the keys that are shared: diffusers' `from_config`.
    let classes = [name, ownName ?? name]
    let known = Set(SamplerKind.allCases.map(\.schedulerClass))
    if known.isSuperset(of: classes) { try reader.finish() }
  }
}

extension JSONValue {
  /// The same, so that what is written again says one thing in both of its files.
  fileprivate func withClassName(_ name: String) -> JSONValue {
    guard case .object(var members) = self else { return self }
    members["_class_name"] = .string(name)
    return .object(members)
  }
}

extension PredictionType {
  fileprivate static let schedulerNames: [(PredictionType, String)] = [
    (.noise, "epsilon"), (.sample, "sample"), (.velocity, "v_prediction"),
  ]

  fileprivate var schedulerName: String {
    // Every case is in the table.
    Self.schedulerNames.first { $0.0 == self }!.1
  }
}

extension ConfigurationReader {
  fileprivate mutating func predictionType() throws -> PredictionType {
    let name = try string("prediction_type") ?? "epsilon"
    guard let match = PredictionType.schedulerNames.first(where: { $0.1 == name }) else {
      throw error(
        "prediction_type", "is '\(name)', which Attune does not have",
        advice: "it has epsilon, sample and v_prediction")
    }
    return match.0
  }

  /// The sampler of diffusers' class; nil if Attune lacks it.
  fileprivate mutating func samplerKind(className: String) throws -> SamplerKind? {
    guard let kind = SamplerKind.allCases.first(where: { $0.schedulerClass == className }) else {
      return nil
    }
    let drawsNoise = try string("algorithm_type")?.hasPrefix("sde-") ?? false
    return kind == .dpmSolver && drawsNoise ? .dpmSolverSDE : kind
  }

  /// - Parameter className: of the scheduler that the file was written by, whose own defaults hold
  ///   where a key is missing.
  fileprivate mutating func noiseSchedule(className: String) throws -> NoiseSchedule {
    let isLCM = className == SamplerKind.lcm.schedulerClass
    let count = try integer("num_train_timesteps", in: 1...100_000) ?? 1_000
    let first = try number("beta_start") ?? (isLCM ? 0.00085 : 0.0001)
    let last = try number("beta_end") ?? (isLCM ? 0.012 : 0.02)
    for (key, beta) in [("beta_start", first), ("beta_end", last)] {
      guard (0...1).contains(beta) else { throw error(key, "is \(beta), not within 0 ... 1") }
    }
    let name = try string("beta_schedule") ?? (isLCM ? "scaled_linear" : "linear")
    let schedule: NoiseSchedule
    if case .array(let values) = value("trained_betas") {
      schedule = try trained(values)
    } else {
      switch name {
      case "linear": schedule = .linear(timeStepCount: count, first: first, last: last)
      case "scaled_linear":
        schedule = .scaledLinear(timeStepCount: count, first: first, last: last)
      case "squaredcos_cap_v2": schedule = .squaredCosine(timeStepCount: count)
      default:
        throw error(
          "beta_schedule", "is '\(name)', which Attune does not have",
          advice: "it has linear, scaled_linear and squaredcos_cap_v2")
      }
    }
    let isRescaled = try boolean("rescale_betas_zero_snr") ?? false
    return isRescaled ? schedule.rescaledToZeroTerminalSNR() : schedule
  }

  private func trained(_ values: [JSONValue]) throws -> NoiseSchedule {
    let betas = try values.map {
      guard case .number(let beta) = $0, (0...1).contains(beta) else {
        throw error("trained_betas", "has \($0.text), not a number within 0 ... 1")
      }
      return Float(beta)
    }
    guard !betas.isEmpty else { throw error("trained_betas", "is empty") }
    return NoiseSchedule(betas: betas)
  }

  /// Keys that matter to some samplers only, which read them when they are made.
  fileprivate mutating func ignoreSchedulerKeys() {
    ignore(
      "clip_sample", "clip_sample_range", "set_alpha_to_one", "steps_offset", "timestep_spacing",
      "thresholding", "dynamic_thresholding_ratio", "sample_max_value", "variance_type",
      "interpolation_type", "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas",
      "sigma_min", "sigma_max", "timestep_type", "final_sigmas_type", "solver_order",
      "algorithm_type", "solver_type", "lower_order_final", "euler_at_final", "use_lu_lambdas",
      "use_flow_sigmas", "flow_shift", "lambda_min_clipped", "use_dynamic_shifting",
      "time_shift_type")
    ignore(
      "skip_prk_steps", "shift", "base_shift", "max_shift", "base_image_seq_len",
      "max_image_seq_len", "invert_sigmas", "shift_terminal", "stochastic_sampling",
      "original_inference_steps", "timestep_scaling", "predict_x0", "solver_p",
      "disable_corrector")
  }
}

extension SamplerKind {
  /// The scheduler class of diffusers that does the same.
  var schedulerClass: String {
    switch self {
    case .ddim: "DDIMScheduler"
    case .ddpm: "DDPMScheduler"
    case .euler: "EulerDiscreteScheduler"
    case .eulerAncestral: "EulerAncestralDiscreteScheduler"
    case .heun: "HeunDiscreteScheduler"
    case .dpmSolver, .dpmSolverSDE: "DPMSolverMultistepScheduler"
    case .unipc: "UniPCMultistepScheduler"
    case .pndm: "PNDMScheduler"
    case .lcm: "LCMScheduler"
    case .flowMatchingEuler: "FlowMatchEulerDiscreteScheduler"
    }
  }
}
