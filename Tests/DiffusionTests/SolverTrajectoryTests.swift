import Diffusion
import Testing

/// PNDM, LCM, UniPC, DPM-Solver++ of third order and with noise, and the options that several
/// schedulers have in common, against diffusers.
@Suite struct SolverTrajectoryTests {
  private let goldens: TrajectoryGoldens
  private static let stepCounts = [5, 20]
  private static let schedule = NoiseSchedule.scaledLinear()
  private static let zeroSNR = schedule.rescaledToZeroTerminalSNR()

  init() throws { goldens = try TrajectoryGoldens("solvers.safetensors") }

  private func check(
    _ name: String, _ sampler: any Sampler, relative: Float = 1e-5
  ) throws {
    try goldens.check(name, sampler, relative: relative)
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

  @Test func pndm() throws {
    let schedule = Self.schedule
    try forEachCase { prediction, spacing, count, name in
      guard prediction != .sample else { return }  // which diffusers lacks
      for skips in [true, false] {
        try check(
          "pndm/\(name)/\(skips ? "plms" : "prk")",
          PNDMSampler(
            schedule, count: count, predictionType: prediction, spacing: spacing,
            skipsRungeKutta: skips))
      }
    }
    try check("pndm/offset", PNDMSampler(schedule, count: 20, offset: 1))
    try check("pndm/alpha-to-one", PNDMSampler(schedule, count: 20, endsAtCleanSample: true))
    try check("pndm/one-step", PNDMSampler(schedule, count: 1))
    try check("pndm/two-steps", PNDMSampler(schedule, count: 2, offset: 1))
    try check("pndm/four-steps-prk", PNDMSampler(schedule, count: 4, skipsRungeKutta: false))
  }

  @Test func lcm() throws {
    let schedule = Self.schedule
    for prediction in PredictionType.allCases {
      for count in [1, 4, 8, 50] {
        try check(
          "lcm/\(prediction)/\(count)",
          LCMSampler(schedule, count: count, predictionType: prediction))
      }
    }
    try check(
      "lcm/original-20", LCMSampler(schedule, count: 6, distilledCount: 20, timeStepScale: 2.5))
    try check("lcm/clipped", LCMSampler(schedule, count: 4, estimateLimit: 0.7))
    try check(
      "lcm/thresholding",
      LCMSampler(schedule, count: 4, thresholding: DynamicThresholding(maximum: 2)))
    try check("lcm/zero-snr", LCMSampler(Self.zeroSNR, count: 4, predictionType: .velocity))
  }

  @Test func dpmSolver() throws {
    let schedule = Self.schedule
    try forEachCase { prediction, spacing, count, name in
      try check(
        "dpm-solver/\(name)/order-3",
        DPMSolverSampler(
          schedule, count: count, predictionType: prediction, spacing: spacing, order: .third))
    }
    for count in Self.stepCounts {
      for order in [DPMSolverSampler.Order.second, .third] {
        try check(
          "dpm-solver/heun/\(count)/order-\(order.rawValue)",
          DPMSolverSampler(schedule, count: count, order: order, correction: .heun))
      }
      for shape in [SigmaSpacing.Shape.exponential, .beta, .lu] {
        try check(
          "dpm-solver/\(shape)/\(count)",
          DPMSolverSampler(
            schedule, count: count, sigmas: SigmaSpacing(shape), roundsTimeSteps: shape == .lu))
      }
      try check(
        "dpm-solver/full-order/\(count)",
        DPMSolverSampler(
          schedule, count: count, order: .third, lowersOrderAtEnd: false, endsAtCleanSample: false))
      try check(
        "dpm-solver/euler-at-final/\(count)",
        DPMSolverSampler(
          schedule, count: count, lowersOrderAtEnd: false, hasFirstOrderEnd: true,
          endsAtCleanSample: false))
    }
    for spacing in TimeStepSpacing.allCases {
      try check(
        "dpm-solver/lambda-min/\(spacing)",
        DPMSolverSampler(.squaredCosine(), count: 20, spacing: spacing, minLogRatio: -5.1))
    }
    try check(
      "dpm-solver/karras-cosine",
      DPMSolverSampler(
        .squaredCosine(), count: 20, sigmas: .karras, roundsTimeSteps: false, minLogRatio: -5.1))
    try check(
      "dpm-solver/thresholding",
      DPMSolverSampler(schedule, count: 20, thresholding: Self.thresholding))
  }

  @Test func dpmSolverWithNoise() throws {
    let schedule = Self.schedule
    try forEachCase { prediction, spacing, count, name in
      for order in [DPMSolverSampler.Order.first, .second] {
        try check(
          "dpm-solver-sde/\(name)/order-\(order.rawValue)",
          DPMSolverSampler(
            schedule, count: count, predictionType: prediction, spacing: spacing, order: order,
            isStochastic: true))
      }
    }
    for count in Self.stepCounts {
      try check(
        "dpm-solver-sde/heun/\(count)",
        DPMSolverSampler(schedule, count: count, correction: .heun, isStochastic: true))
      try check(
        "dpm-solver-sde/sigma-min/\(count)",
        DPMSolverSampler(schedule, count: count, isStochastic: true, endsAtCleanSample: false))
      try check(
        "dpm-solver-sde/karras/\(count)",
        DPMSolverSampler(schedule, count: count, isStochastic: true, sigmas: .karras))
    }
    try check(
      "dpm-solver-sde/zero-snr",
      DPMSolverSampler(
        Self.zeroSNR, count: 20, predictionType: .velocity, spacing: .trailing, isStochastic: true))
  }

  @Test func unipc() throws {
    let schedule = Self.schedule
    try forEachCase { prediction, spacing, count, name in
      for order in 1...3 {
        try check(
          "unipc/\(name)/order-\(order)",
          UniPCSampler(
            schedule, count: count, predictionType: prediction, spacing: spacing, order: order),
          // diffusers solves for the weights in single precision, which costs it 1.4e-5.
          relative: order == 3 ? 2e-5 : 1e-5)
      }
    }
    for count in Self.stepCounts {
      try check(
        "unipc/bh1/\(count)",
        UniPCSampler(schedule, count: count, order: 3, variant: .bh1, endsAtCleanSample: false))
      try check(
        "unipc/noise-steps/\(count)",
        UniPCSampler(
          schedule, count: count, order: 3, stepsInEstimates: false, endsAtCleanSample: false))
      try check(
        "unipc/full-order/\(count)",
        UniPCSampler(
          schedule, count: count, order: 3, lowersOrderAtEnd: false, endsAtCleanSample: false))
      try check(
        "unipc/uncorrected/\(count)",
        UniPCSampler(schedule, count: count, uncorrectedSteps: [0, 2]))
      try check("unipc/karras/\(count)", UniPCSampler(schedule, count: count, sigmas: .karras))
      try check(
        "unipc/karras-sigma-min/\(count)",
        UniPCSampler(schedule, count: count, sigmas: .karras, endsAtCleanSample: false))
      try check(
        "unipc/exponential-bounds/\(count)",
        UniPCSampler(
          schedule, count: count,
          sigmas: SigmaSpacing(.exponential, minimum: 0.1, maximum: 10)))
      try check(
        "unipc/beta/\(count)", UniPCSampler(schedule, count: count, sigmas: SigmaSpacing(.beta)))
    }
    try check(
      "unipc/zero-snr",
      UniPCSampler(Self.zeroSNR, count: 20, predictionType: .velocity, spacing: .trailing))
    try check(
      "unipc/thresholding", UniPCSampler(schedule, count: 20, thresholding: Self.thresholding))
  }

  private static let thresholding = DynamicThresholding(ratio: 0.8, maximum: 1.5)

  @Test func optionsOfOtherSamplers() throws {
    let schedule = Self.schedule
    for count in Self.stepCounts {
      for shape in [SigmaSpacing.Shape.exponential, .beta] {
        let sigmas = SigmaSpacing(shape)
        try check(
          "euler/\(shape)/\(count)", EulerSampler(schedule, count: count, sigmas: sigmas))
        try check("heun/\(shape)/\(count)", HeunSampler(schedule, count: count, sigmas: sigmas))
      }
      try check(
        "euler/karras-bounds/\(count)",
        EulerSampler(
          schedule, count: count, sigmas: SigmaSpacing(.karras, minimum: 0.05, maximum: 12)))
      try check(
        "euler/sigma-min/\(count)",
        EulerSampler(schedule, count: count, spacing: .leading, endsAtCleanSample: false))
    }
    try check(
      "ddim/thresholding",
      DDIMSampler(
        schedule, count: 20, spacing: .leading, thresholding: Self.thresholding,
        previousTimeStep: .strided))
    try check(
      "ddpm/thresholding", DDPMSampler(schedule, count: 20, thresholding: Self.thresholding))
  }

  /// The loops above leave out no golden.
  @Test func everyGoldenIsUsed() {
    func count(_ prefix: String) -> Int { goldens.names.count { $0.hasPrefix(prefix + "/") } }
    #expect(count("pndm") == 12 * 2 + 5)
    #expect(count("lcm") == 12 + 4)
    #expect(count("dpm-solver") == 18 + 2 * 7 + 5)
    #expect(count("dpm-solver-sde") == 36 + 6 + 1)
    #expect(count("unipc") == 54 + 2 * 8 + 2)
    #expect(count("euler") == 8 && count("heun") == 4 && count("ddim") == 1 && count("ddpm") == 1)
    #expect(goldens.names.count == 29 + 16 + 37 + 43 + 72 + 14)
  }
}
