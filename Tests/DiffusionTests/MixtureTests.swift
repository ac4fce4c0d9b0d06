import Diffusion
import Foundation
import Media
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// A mixture of Gaussians learned by a small network has the right means and weights by every
/// sampler.
///
/// Without optimization the training would take half an hour, and is left out.
/// With ATTUNE_WRITE_IMAGES=1 the samples are drawn into docs/images/mixture-of-gaussians.png.
@Suite(.enabled(if: isOptimized, "needs an optimized build")) struct MixtureTests {
  private let mixture = MixtureOfGaussians()
  /// Gentler than usual: the more time steps are left where there is something to learn.
  private let schedule = NoiseSchedule.linear(last: 0.01)
  private let flow = FlowSchedule()
  private let sampleCount = 3000
  private let iterations = 2500

  private func noiseNetwork() -> PlaneDenoiser {
    var random = RandomStream(seed: 1, purpose: "noise network")
    let network = PlaneDenoiser(random: &random)
    network.train(mixture, iterations: iterations, random: &random) { clean, noise, random in
      let times = (0..<clean.shape[0]).map { _ in random.integer(below: schedule.timeStepCount) }
      let input = schedule.noisySample(clean, noise: noise, at: .perRow(times))
      return (input, Broadcast.perRow(times.map(Float.init)), noise)
    }
    return network
  }

  private func flowNetwork() -> PlaneDenoiser {
    var random = RandomStream(seed: 2, purpose: "flow network")
    let network = PlaneDenoiser(random: &random)
    network.train(mixture, iterations: iterations, random: &random) { clean, noise, random in
      let levels = Broadcast.perRow(random.uniform([clean.shape[0]]).elements)
      let input = flow.noisySample(clean, noise: noise, noiseLevels: levels)
      return (input, levels.map { $0 * 1000 }, flow.target(sample: clean, noise: noise))
    }
    return network
  }

  private func samplers(
    noise: @escaping Denoiser, flow velocity: @escaping Denoiser
  ) -> [(name: String, sampler: any Sampler, denoiser: Denoiser)] {
    [
      ("DDPM, 100 steps", DDPMSampler(schedule, count: 100), noise),
      ("DDIM, 50 steps", DDIMSampler(schedule, count: 50, spacing: .trailing), noise),
      ("DDIM, eta 1, 100 steps", DDIMSampler(schedule, count: 100, eta: .fixed(1)), noise),
      ("Euler, 50 steps", EulerSampler(schedule, count: 50, sigmas: .karras), noise),
      ("Euler ancestral, 100 steps", EulerAncestralSampler(schedule, count: 100), noise),
      ("Heun, 25 steps", HeunSampler(schedule, count: 25, sigmas: .karras), noise),
      (
        "DPM-Solver++ 2M, 20 steps", DPMSolverSampler(schedule, count: 20, sigmas: .karras),
        noise
      ),
      ("Flow matching, 50 steps", FlowMatchingEulerSampler(flow, count: 50), velocity),
    ]
  }

  /// With the best possible prediction, what is left is the samplers' own error.
  @Test func perfectPredictions() {
    let levels = schedule.cumulativeAlphas.map { log(Double((1 - $0) / $0)) / 2 }
    let noise: Denoiser = { sample, timeSteps in
      let time = Double(timeSteps.values(count: 1)[0])
      let low = min(Int(time), levels.count - 2)
      let sigma = exp(levels[low] + (levels[low + 1] - levels[low]) * (time - Double(low)))
      let a = 1 / (sigma * sigma + 1).squareRoot()
      let clean = mixture.expectedSample(sample, signalScale: a, noiseScale: sigma * a)
      return (sample - clean * Float(a)) / Float(sigma * a)
    }
    let velocity: Denoiser = { sample, timeSteps in
      let sigma = Double(timeSteps.values(count: 1)[0]) / 1000
      let clean = mixture.expectedSample(sample, signalScale: 1 - sigma, noiseScale: sigma)
      return (sample - clean) / Float(sigma)
    }
    var random = RandomStream(seed: 4, purpose: "samples")
    for (name, sampler, denoiser) in samplers(noise: noise, flow: velocity) {
      let chain = DenoisingProcess(sampler: sampler).rollout(
        from: random.normal([sampleCount, 2]), noise: &random, denoiser: denoiser)
      check(
        mixture.components(of: chain.sample), name, weight: 0.025, mean: 0.05, std: 0.03)
    }
  }

  @Test func learnedPredictions() throws {
    let (noise, velocity) = (noiseNetwork(), flowNetwork())
    let samplers = samplers(noise: { noise($0, $1) }, flow: { velocity($0, $1) })
    var random = RandomStream(seed: 3, purpose: "samples")
    let truth = mixture.samples(sampleCount, random: &random)
    var images = [scatterPlot(truth, of: mixture)]
    for (name, sampler, denoiser) in samplers {
      let chain = DenoisingProcess(sampler: sampler).rollout(
        from: random.normal([sampleCount, 2]), noise: &random, denoiser: denoiser)
      check(
        mixture.components(of: chain.sample), name, weight: 0.03, mean: 0.1, std: 0.1)
      images.append(scatterPlot(chain.sample, of: mixture))
    }
    guard ProcessInfo.processInfo.environment["ATTUNE_WRITE_IMAGES"] == "1" else { return }
    var grid = ImageGrid(images, columnCount: 3, captions: ["Data"] + samplers.map(\.name))
    grid.title = "A mixture of four Gaussians, learned and sampled"
    try grid.rendered().writePNG(to: Repository.path("docs/images/mixture-of-gaussians.png"))
  }

  private func check(
    _ components: [MixtureOfGaussians.Component], _ name: String, weight: Float, mean: Float,
    std: Float
  ) {
    for (index, component) in components.enumerated() {
      let centre = mixture.centres[index]
      let weightError = abs(component.weight - mixture.weights[index])
      #expect(weightError <= weight, "\(name), weight \(index): \(component.weight)")
      let meanError = max(
        abs(component.mean.x - centre.x), abs(component.mean.y - centre.y))
      #expect(meanError <= mean, "\(name), mean \(index): \(component.mean)")
      let stdError = abs(component.std - mixture.std)
      #expect(stdError <= std, "\(name), standard deviation \(index): \(component.std)")
    }
  }
}

#if DEBUG
  private let isOptimized = false
#else
  private let isOptimized = true
#endif
