import CMuJoCo
import Testing

@testable import Environments

/// Our models against Gymnasium's, number by number, as the same compiler understands them.
@Suite struct RobotModelTests {
  private static let models = [
    "hopper-v4": HopperModel.text, "hopper-v5": HopperModel.text,
    "walker2d-v4": Walker2DModel.text(rightFootFriction: 0.9),
    "walker2d-v5": Walker2DModel.text(rightFootFriction: 1.9),
    "half-cheetah-v4": HalfCheetahModel.text, "half-cheetah-v5": HalfCheetahModel.text,
  ]

  @Test(arguments: models.keys.sorted())
  func compiledModelEqualsGymnasiums(task: String) throws {
    let text = try #require(Self.models[task])
    let expected = try #require(try Goldens.numbers("models.json")[task])
    let model = try MuJoCoModel.compiled(from: text, for: task)
    // All simulations share the model; drawing one of them leaves it as it is.
    let environment = try EnvironmentRegistry.standard.make(String(task.dropLast("-v4".count)))
    try environment.reset(seed: 0)
    _ = try environment.render(width: 16, height: 16)
    let found = ModelNumbers.all(of: model.pointer)
    #expect(found.count > 90)
    #expect(Set(found.keys) == Set(expected.keys))
    for (field, values) in expected {
      let ours = found[field] ?? []
      #expect(ours.count == values.count, "\(task) \(field): count")
      for (index, (mine, theirs)) in zip(ours, values).enumerated() {
        let tolerance = 1e-12 * max(1, abs(theirs))
        #expect(
          !(abs(mine - theirs) > tolerance) && mine.isNaN == theirs.isNaN,
          "\(task) \(field)[\(index)]: \(mine), Gymnasium \(theirs)")
      }
    }
  }

  @Test func aModelThatDoesNotCompileIsATypedError() {
    #expect {
      try MuJoCoModel.compiled(from: "<mujoco><body/></mujoco>", for: "broken")
    } throws: { error in
      guard case .badModel("broken", let reason)? = error as? EnvironmentError else { return false }
      return reason.contains("body")
    }
  }
}
