import GenerativeModels

extension SamplerKind {
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
