import Environments
import Foundation
import Media
import Rewards
import Tensors
import TestSupport
import Testing

@testable import Diffusion

final class PointEnvironment: Environment {
  let name = "point"
  let observationSpace = BoxSpace(names: ["x"], bounds: -10...10)
  let actionSpace = BoxSpace(names: ["velocity"], bounds: -1...1)
  let stepsPerSecond = 10.0
  private var x = 0.0

  var info: [String: Double] { ["isSuccess": abs(x) < 0.1 ? 1 : 0] }

  func reset(_ start: EpisodeStart) {
    guard case .seed(let seed) = start else { return }
    var random = RandomStream(seed: seed, purpose: name)
    x = Double(random.uniform([1], in: -1..<1).scalar)
  }

  func step(_ action: UnsafeBufferPointer<Float>) -> StepOutcome {
    // A policy that has broken down ends its episode and nothing else.
    guard action[0].isFinite else { return StepOutcome(reward: 0, isTerminated: true) }
    x += 0.1 * Double(action[0])
    return StepOutcome(reward: Float(1 - abs(x)), isTerminated: abs(x) > 2)
  }

  func observe(into observation: UnsafeMutableBufferPointer<Float>) { observation[0] = Float(x) }

  func save(to state: inout EnvironmentState) { state.append(x) }

  func restore(from reader: inout EnvironmentState.Reader) throws { x = try reader.readDouble() }
}

struct BrightnessReward: ImageReward {
  let name = "brightness"

  func scores(images: [Image], prompts: [String]) -> [Float] {
    images.map { $0.rgb().tensor(range: .zeroToOne).mean().scalar }
  }
}

extension BrightnessReward {
  static let kind = RewardKind(name: "brightness", make: { _ in BrightnessReward() })
}

struct FirstOrderSampler: MarkovSampler {
  let timeSteps: [Float]
  private let signals: [Float]
  private let noises: [Float]

  init(_ schedule: NoiseSchedule, count: Int) {
    let times = TimeStepSpacing.leading.timeSteps(count, of: schedule.timeStepCount, offset: 0)
    timeSteps = times.map { Float($0) }
    signals = times.map { schedule.signalScales[$0] } + [1]
    noises = times.map { schedule.noiseScales[$0] } + [0]
  }

  /// x_s = a_s x_0 + b_s e, with the network's noise e and x_0 = (x_t - b_t e) / a_t.
  func transition(
    from sample: Tensor, prediction: Tensor, at indices: Broadcast<Int>
  ) -> Transition {
    let entry = { (table: [Float], at: Broadcast<Int>) in at.entries(of: table, rank: sample.rank) }
    let next = indices.map { $0 + 1 }
    let clean = (sample - entry(noises, indices) * prediction) / entry(signals, indices)
    return Transition(mean: entry(signals, next) * clean + entry(noises, next) * prediction)
  }
}

/// The examples of the tutorials are above, word for word, and do what those say.
@Suite struct TutorialExampleTests {
  @Test(arguments: ["own-environment", "own-reward", "own-sampler"])
  func tutorialHasThisExample(name: String) throws {
    let tutorial = try String(
      contentsOfFile: Repository.path("docs/tutorials/\(name).md"), encoding: .utf8)
    let source = try String(contentsOfFile: #filePath, encoding: .utf8)
    let examples = tutorial.matches(
      of: #/```swift\n(?<code>(?:final class|struct|extension BrightnessReward) .*?)```/#
        .dotMatchesNewlines())
    #expect(!examples.isEmpty)
    for example in examples {
      #expect(source.contains(example.output.code), "\(example.output.code.prefix(60))")
    }
  }

  @Test func environmentPasses() throws {
    let report = try EnvironmentChecker { PointEnvironment() }.run()
    #expect(report.problems.isEmpty, "\(report)")
  }

  @Test func rewardIsBrightness() throws {
    let images = [Color.black, .white].map { Image(width: 4, height: 4, filledWith: $0) }
    #expect(BrightnessReward().scores(images: images, prompts: ["", ""]) == [0, 1])
    let kinds = RewardKind.all + [BrightnessReward.kind]
    #expect(try RewardExpression("brightness", kinds: kinds).reward() is BrightnessReward)
  }

  /// It is DDIM without noise.
  @Test func samplerIsDDIM() {
    let schedule = NoiseSchedule.squaredCosine(timeStepCount: 100)
    let sampler = FirstOrderSampler(schedule, count: 10)
    let ddim = DDIMSampler(schedule, count: 10)
    #expect(sampler.timeSteps == ddim.timeSteps)
    var random = RandomStream(seed: 1, purpose: "readme")
    let (sample, prediction) = (random.normal([4, 3]), random.normal([4, 3]))
    for index in 0..<10 {
      let found = sampler.transition(from: sample, prediction: prediction, at: .shared(index))
      let expected = ddim.transition(from: sample, prediction: prediction, at: .shared(index))
      let difference = (found.mean - expected.mean).absolute().elements.max() ?? .infinity
      #expect(!(difference > 1e-3), "\(index): \(difference)")
      #expect(found.standardDeviation == nil)
    }
  }
}
