import Diffusion

/// The samplers that a text-to-image model can be sampled with.
public enum SamplerKind: String, Sendable, CaseIterable, Codable {
  /// Deterministic unless eta is above 0.
  case ddim
  /// Ancestral sampling.
  case ddpm
  /// Euler's method on the probability-flow ODE.
  case euler
  /// Euler steps with fresh noise.
  case eulerAncestral = "euler-ancestral"
  /// Heun's method, which runs the network twice a step.
  case heun
  /// DPM-Solver++ of second order with multiple steps.
  case dpmSolver = "dpm-solver"
  /// Euler's method for flow-matching models.
  case flowMatchingEuler = "flow-matching-euler"

  /// The scheduler class of diffusers that does the same.
  var schedulerClass: String {
    switch self {
    case .ddim: "DDIMScheduler"
    case .ddpm: "DDPMScheduler"
    case .euler: "EulerDiscreteScheduler"
    case .eulerAncestral: "EulerAncestralDiscreteScheduler"
    case .heun: "HeunDiscreteScheduler"
    case .dpmSolver: "DPMSolverMultistepScheduler"
    case .flowMatchingEuler: "FlowMatchEulerDiscreteScheduler"
    }
  }

  init?(schedulerClass: String) {
    guard let kind = SamplerKind.allCases.first(where: { $0.schedulerClass == schedulerClass })
    else { return nil }
    self = kind
  }
}
