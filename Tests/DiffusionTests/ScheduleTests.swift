import Diffusion
import Tensors
import TestSupport
import Testing

/// Noise schedules against diffusers and the DPPO reference.
@Suite struct ScheduleTests {
  private let goldens: GoldenTensors

  init() throws { goldens = try GoldenTensors("Diffusion/schedules.safetensors") }

  @Test func values() throws {
    let schedules: [(String, NoiseSchedule)] = [
      ("linear", .linear()),
      ("scaled-linear", .scaledLinear()),
      ("squared-cosine", .squaredCosine()),
      ("squared-cosine-50", .squaredCosine(timeStepCount: 50)),
      ("zero-snr", .scaledLinear().rescaledToZeroTerminalSNR()),
      ("policy-10", .policyCosine(timeStepCount: 10)),
      ("policy-20", .policyCosine(timeStepCount: 20)),
      ("policy-100", .policyCosine(timeStepCount: 100)),
    ]
    for (name, schedule) in schedules {
      // PyTorch's square root may be off by one in the last place, and rescaling subtracts roots
      // that lie close together.
      let tolerance: Float = name == "zero-snr" ? 5e-6 : 1e-6
      expectClose(
        Tensor(schedule.betas), try goldens["\(name)/betas"], relative: tolerance, absolute: 0,
        "betas of \(name)")
      expectClose(
        Tensor(schedule.cumulativeAlphas), try goldens["\(name)/cumulative"], relative: 1e-6,
        absolute: 0, "cumulative alphas of \(name)")
      // Small values matter as much as large ones: they are divided by.
      let expected = try goldens["\(name)/cumulative"].elements
      for (index, (a, e)) in zip(schedule.cumulativeAlphas, expected).enumerated() {
        #expect(abs(a - e) <= tolerance * e, "cumulative alpha \(index) of \(name): \(a), \(e)")
      }
    }
    #expect(NoiseSchedule.scaledLinear().rescaledToZeroTerminalSNR().hasZeroTerminalSNR)
    #expect(!NoiseSchedule.scaledLinear().hasZeroTerminalSNR)
  }

  @Test func noisySamplesAndTargets() throws {
    let schedule = NoiseSchedule.linear()
    let times = Broadcast.perRow(try goldens.integers("noisy/times"))
    let (sample, noise) = (try goldens["noisy/sample"], try goldens["noisy/noise"])
    expectClose(
      schedule.noisySample(sample, noise: noise, at: times), try goldens["noisy/result"],
      relative: 1e-6, "noisy sample")
    let velocity = schedule.target(.velocity, sample: sample, noise: noise, at: times)
    expectClose(velocity, try goldens["noisy/velocity"], relative: 1e-6, "velocity")
    #expect(
      schedule.target(.noise, sample: sample, noise: noise, at: times).elements == noise.elements)
    #expect(
      schedule.target(.sample, sample: sample, noise: noise, at: times).elements
        == sample.elements)
  }

  @Test func noiseLevelsOfAnInterval() throws {
    let schedule = NoiseSchedule.linear()
    let range = try #require(schedule.timeSteps(withNoiseLevelsIn: 0.5...2))
    func level(_ time: Float) -> Float {
      let alphaBar = schedule.cumulativeAlphas[Int(time)]
      return ((1 - alphaBar) / alphaBar).squareRoot()
    }
    #expect(level(range.lowerBound) >= 0.5 && level(range.lowerBound - 1) < 0.5)
    #expect(level(range.upperBound) <= 2 && level(range.upperBound + 1) > 2)
    #expect(schedule.timeSteps(withNoiseLevelsIn: 1e6...2e6) == nil)
  }

  @Test func flowPath() {
    let schedule = FlowSchedule(shift: 3)
    #expect(schedule.noiseLevel(at: 0) == 0 && schedule.noiseLevel(at: 1) == 1)
    #expect(abs(schedule.noiseLevel(at: 0.5) - 0.75) < 1e-6)
    let (sample, noise) = (Tensor(shape: [2, 1], elements: [1, 2]), Tensor.zeros([2, 1]))
    let noisy = schedule.noisySample(sample, noise: noise, noiseLevels: .perRow([0.25, 1]))
    #expect(noisy.elements == [0.75, 0])
    #expect(schedule.target(sample: sample, noise: noise).elements == [-1, -2])
  }

  @Test func spacings() {
    #expect(TimeStepSpacing.leading.timeSteps(5, of: 10) == [8, 6, 4, 2, 0])
    #expect(TimeStepSpacing.leading.timeSteps(3, of: 10, offset: 1) == [7, 4, 1])
    #expect(TimeStepSpacing.trailing.timeSteps(5, of: 10) == [9, 7, 5, 3, 1])
    // 10, 6 2/3 and 3 1/3 to the nearest, less 1.
    #expect(TimeStepSpacing.trailing.timeSteps(3, of: 10) == [9, 6, 2])
    #expect(TimeStepSpacing.linspace.timeSteps(4, of: 10) == [9, 6, 3, 0])
    // Never more than asked for, where numpy.arange may give one too many.
    for count in 1...60 {
      for spacing in TimeStepSpacing.allCases {
        let times = spacing.timeSteps(count, of: 1000)
        #expect(times.count == count && times.allSatisfy((0..<1000).contains))
        #expect(zip(times, times.dropFirst()).allSatisfy { $0 > $1 }, "\(spacing) \(count)")
      }
    }
  }
}
