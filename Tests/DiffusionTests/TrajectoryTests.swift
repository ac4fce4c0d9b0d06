import Diffusion
import Testing

/// Whole trajectories of every sampler, prediction type and spacing against diffusers.
@Suite struct TrajectoryTests {
  private let goldens: TrajectoryGoldens
  private static let stepCounts = [5, 20, 50]

  init() throws { goldens = try TrajectoryGoldens("trajectories.safetensors") }

  private func check(_ name: String, _ sampler: any Sampler) throws {
    try goldens.check(name, sampler)
  }

  private func forEachCase(
    _ body: (PredictionType, TimeStepSpacing, Int, String) throws -> Void
  ) rethrows {
    for prediction in PredictionType.allCases {
      for spacing in TimeStepSpacing.allCases {
        for count in Self.stepCounts {
          try body(prediction, spacing, count, "\(prediction)/\(spacing)/\(count)")
        }
      }
    }
  }

  @Test func ddpm() throws {
    let variants: [(DDPMSampler.Variance, String)] = [
      (.fixedSmall, "fixed_small"), (.fixedSmallLog, "fixed_small_log"),
      (.fixedLarge, "fixed_large"),
    ]
    try forEachCase { prediction, spacing, count, name in
      for (variance, variant) in variants {
        try check(
          "ddpm/\(name)/\(variant)",
          DDPMSampler(
            .scaledLinear(), count: count, predictionType: prediction, spacing: spacing,
            variance: variance))
      }
    }
    try check(
      "ddpm/noise/leading/20/clipped",
      DDPMSampler(.squaredCosine(), count: 20, estimateLimit: 1.5))
    try check(
      "ddpm/noise/leading/20/offset",
      DDPMSampler(.scaledLinear(), count: 20, offset: 1, variance: .fixedLarge))
    try check(
      "ddpm/velocity/trailing/20/zero-snr",
      DDPMSampler(
        NoiseSchedule.scaledLinear().rescaledToZeroTerminalSNR(), count: 20,
        predictionType: .velocity, spacing: .trailing))
  }

  @Test func ddim() throws {
    try forEachCase { prediction, spacing, count, name in
      for eta in [Float(0), 0.5, 1] {
        try check(
          "ddim/\(name)/eta-\(eta)",
          DDIMSampler(
            .scaledLinear(), count: count, predictionType: prediction, spacing: spacing,
            eta: .fixed(eta), previousTimeStep: .strided))
        if spacing != .linspace {
          try check(
            "ddim/\(name)/eta-\(eta)",
            DDIMSampler(
              .scaledLinear(), count: count, predictionType: prediction, spacing: spacing,
              eta: .fixed(eta)))
        }
      }
    }
    try check(
      "ddim/noise/leading/20/clipped",
      DDIMSampler(.linear(), count: 20, eta: .fixed(0.3), estimateLimit: 0.8))
    try check(
      "ddim/noise/leading/20/recomputed",
      DDIMSampler(.linear(), count: 20, estimateLimit: 1, recomputesNoise: true))
    try check(
      "ddim/noise/leading/20/offset",
      DDIMSampler(.scaledLinear(), count: 20, offset: 1, endsAtCleanSample: false))
    try check(
      "ddim/velocity/trailing/20/zero-snr",
      DDIMSampler(
        NoiseSchedule.scaledLinear().rescaledToZeroTerminalSNR(), count: 20,
        predictionType: .velocity, spacing: .trailing))
  }

  @Test func euler() throws {
    try forEachCase { prediction, spacing, count, name in
      try check(
        "euler/\(name)",
        EulerSampler(
          .scaledLinear(), count: count, predictionType: prediction, spacing: spacing))
    }
    for count in Self.stepCounts {
      try check(
        "euler/noise/linspace/\(count)/karras",
        EulerSampler(.scaledLinear(), count: count, sigmas: .karras))
    }
    try check(
      "euler/velocity/trailing/20/zero-snr",
      EulerSampler(
        NoiseSchedule.scaledLinear().rescaledToZeroTerminalSNR(), count: 20,
        predictionType: .velocity, spacing: .trailing))
  }

  @Test func eulerAncestral() throws {
    try forEachCase { prediction, spacing, count, name in
      guard prediction != .sample else { return }  // which diffusers lacks
      try check(
        "euler-ancestral/\(name)",
        EulerAncestralSampler(
          .scaledLinear(), count: count, predictionType: prediction, spacing: spacing))
    }
  }

  @Test func heun() throws {
    try forEachCase { prediction, spacing, count, name in
      try check(
        "heun/\(name)",
        HeunSampler(.scaledLinear(), count: count, predictionType: prediction, spacing: spacing))
    }
    for count in Self.stepCounts {
      try check(
        "heun/noise/linspace/\(count)/karras",
        HeunSampler(.scaledLinear(), count: count, sigmas: .karras))
    }
    try check(
      "heun/noise/leading/20/clipped",
      HeunSampler(.scaledLinear(), count: 20, spacing: .leading, estimateLimit: 2))
  }

  @Test func dpmSolver() throws {
    try forEachCase { prediction, spacing, count, name in
      for order in [DPMSolverSampler.Order.first, .second] {
        try check(
          "dpm-solver/\(name)/order-\(order.rawValue)",
          DPMSolverSampler(
            .scaledLinear(), count: count, predictionType: prediction, spacing: spacing,
            order: order))
      }
    }
    for count in Self.stepCounts {
      try check(
        "dpm-solver/noise/linspace/\(count)/karras",
        DPMSolverSampler(.scaledLinear(), count: count, sigmas: .karras))
      try check(
        "dpm-solver/noise/linspace/\(count)/sigma-min",
        DPMSolverSampler(.scaledLinear(), count: count, endsAtCleanSample: false))
    }
    try check(
      "dpm-solver/velocity/trailing/20/zero-snr",
      DPMSolverSampler(
        NoiseSchedule.scaledLinear().rescaledToZeroTerminalSNR(), count: 20,
        predictionType: .velocity, spacing: .trailing))
  }

  @Test func flowMatching() throws {
    for count in Self.stepCounts {
      for shift in [Float(1), 3] {
        try check(
          "flow/\(count)/shift-\(shift)",
          FlowMatchingEulerSampler(FlowSchedule(shift: shift), count: count))
      }
    }
  }

  /// The loops above leave out no golden: 27 cases of each full set and the options.
  @Test func everyGoldenIsUsed() {
    let cases = goldens.names
    func count(_ prefix: String) -> Int { cases.filter { $0.hasPrefix(prefix) }.count }
    #expect(count("ddpm/") == 27 * 3 + 3)
    #expect(count("ddim/") == 27 * 3 + 4)
    #expect(count("euler/") == 27 + 4)
    #expect(count("euler-ancestral/") == 18)
    #expect(count("heun/") == 27 + 4)
    #expect(count("dpm-solver/") == 27 * 2 + 7)
    #expect(count("flow/") == 6)
    #expect(cases.count == 84 + 85 + 31 + 18 + 31 + 61 + 6)
  }
}
