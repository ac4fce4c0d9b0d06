import Diffusion
import Tensors
import TestSupport
import Testing

/// Classifier-free guidance, its rescaling and its interval.
@Suite struct GuidanceTests {
  private let goldens: GoldenTensors
  private let unconditional: Tensor
  private let conditional: Tensor

  init() throws {
    goldens = try GoldenTensors("Diffusion/schedules.safetensors")
    unconditional = try goldens["guidance/unconditional"]
    conditional = try goldens["guidance/conditional"]
  }

  /// A network that gives the golden's predictions, and notes how it was called.
  private final class Calls {
    var shapes: [[Int]] = []
    var times: [[Float]] = []
  }

  private func denoiser(_ calls: Calls) -> ConditionalDenoiser {
    let (unconditional, conditional) = (unconditional, conditional)
    return { sample, times, halves in
      calls.shapes.append(sample.shape)
      calls.times.append(times.values(count: sample.shape[0]))
      switch halves {
      case .both: return .concatenated([unconditional, conditional], along: 0)
      case .conditionalOnly: return conditional
      }
    }
  }

  @Test func oneBatch() throws {
    let calls = Calls()
    let guided = Guidance(scale: 7.5).applied(to: denoiser(calls))(conditional, .shared(3))
    expectClose(guided, try goldens["guidance/guided"], relative: 1e-6, "guided")
    #expect(calls.shapes == [[6, 4, 5]] && calls.times == [[3, 3, 3, 3, 3, 3]])
  }

  @Test func rescaled() throws {
    let guidance = Guidance(scale: 7.5, rescale: 0.7)
    let guided = guidance.applied(to: denoiser(Calls()))(conditional, .perRow([1, 2, 3]))
    expectClose(guided, try goldens["guidance/rescaled"], relative: 1e-6, "rescaled")
  }

  @Test func outsideOfItsInterval() throws {
    let guidance = Guidance(scale: 7.5, rescale: 0.7, interval: 100...200)
    let calls = Calls()
    let denoiser = guidance.applied(to: denoiser(calls))
    #expect(denoiser(conditional, .shared(99)).elements == conditional.elements)
    #expect(denoiser(conditional, .shared(201)).elements == conditional.elements)
    #expect(calls.shapes == [[3, 4, 5], [3, 4, 5]])
    let expected = try goldens["guidance/rescaled"]
    expectClose(denoiser(conditional, .shared(100)), expected, relative: 1e-6, "at the lower end")
    expectClose(denoiser(conditional, .shared(200)), expected, relative: 1e-6, "at the upper end")
    // Rows inside and outside in one batch.
    let mixed = denoiser(conditional, .perRow([50, 150, 250]))
    expectClose(mixed[0], conditional[0], relative: 1e-6, "row before")
    expectClose(mixed[1], expected[1], relative: 1e-6, "row inside")
    expectClose(mixed[2], conditional[2], relative: 1e-6, "row after")
    #expect(calls.times.last == [50, 150, 250, 50, 150, 250])
  }

  /// `guidance_scale > 1` is diffusers' test: distilled models say 0 and mean the prompt alone.
  @Test(arguments: [-1, 0, 0.5, 1] as [Float]) func scalesOfOneOrLessAreFree(_ scale: Float) {
    let calls = Calls()
    let plain = Guidance(scale: scale, rescale: 0.7).applied(to: denoiser(calls))(
      conditional, .shared(5))
    #expect(plain.elements == conditional.elements && calls.shapes == [[3, 4, 5]])
  }

  @Test func anyScaleAboveOneGuides() {
    let calls = Calls()
    let guided = Guidance(scale: 1.25).applied(to: denoiser(calls))(conditional, .shared(5))
    let expected = unconditional + 1.25 * (conditional - unconditional)
    expectClose(guided, expected, relative: 1e-6, "guided by 1.25")
    #expect(calls.shapes == [[6, 4, 5]])
  }
}
