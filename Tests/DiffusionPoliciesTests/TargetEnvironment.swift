import Environments
import Tensors

/// A point on a line that an action moves, rewarded for being near 0.5: so easy that a few
/// iterations show whether an algorithm learns. Ends by itself when the point leaves -2 ... 2.
final class TargetEnvironment: Environment {
  let name = "target"
  let observationSpace = BoxSpace(names: ["x"], bounds: -10...10)
  let actionSpace = BoxSpace(names: ["velocity"], bounds: -1...1)
  let stepsPerSecond = 10.0
  private var x = 0.0

  var info: [String: Double] { ["isSuccess": abs(x - 0.5) < 0.1 ? 1 : 0] }

  func reset(_ start: EpisodeStart) {
    guard case .seed(let seed) = start else { return }
    var random = RandomStream(seed: seed, purpose: name)
    x = Double(random.uniform([1], in: -1..<1).scalar)
  }

  func step(_ action: UnsafeBufferPointer<Float>) -> StepOutcome {
    x += 0.3 * Double(min(max(action[0], -1), 1))
    let distance = abs(x - 0.5)
    return StepOutcome(reward: Float(1 - distance), isTerminated: abs(x) > 2)
  }

  func observe(into observation: UnsafeMutableBufferPointer<Float>) { observation[0] = Float(x) }

  func save(to state: inout EnvironmentState) {
    state.appendTag(name)
    state.append(x)
  }

  func restore(from reader: inout EnvironmentState.Reader) throws {
    try reader.readTag(name)
    x = try reader.readDouble()
  }

  static let registry: EnvironmentRegistry = {
    var registry = EnvironmentRegistry()
    registry.register(
      .init(name: "target", summary: "a point on a line", timeLimit: 12) { _ in
        TargetEnvironment()
      })
    return registry
  }()
}
