import Media
import Tensors

@testable import Environments

/// A point on a line that is pushed left and right; each fault breaks one promise of the protocol.
final class LineEnvironment: Environment {
  enum Fault: CaseIterable {
    case none, unnamed, emptyBounds, outOfBounds, infiniteReward, unseeded, constantStart, leftover
    case savingDisturbs, forgetsVelocity, acceptsAnything, passesNaN, plainImage, wrongImage
    case imageDisturbs
  }

  let name = "line"
  let fault: Fault
  let stepsPerSecond = 10.0
  private var position = 0.0
  private var velocity = 0.0
  private var drift = 0.0
  nonisolated(unsafe) private static var madeCount = 0

  init(_ fault: Fault = .none) {
    self.fault = fault
    // Tests make these one after another within one suite that runs serially.
    LineEnvironment.madeCount += 1
    if fault == .unseeded { drift = Double(LineEnvironment.madeCount) }
  }

  var observationSpace: BoxSpace {
    BoxSpace(
      names: fault == .unnamed ? ["same", "same"] : ["position", "velocity"],
      bounds: fault == .outOfBounds ? -1e-3...1e-3 : -1000...1000)
  }

  var actionSpace: BoxSpace {
    BoxSpace(names: ["force"], bounds: fault == .emptyBounds ? 1...1 : -1...1)
  }

  let startingStateNames = ["position", "velocity"]

  func reset(_ start: EpisodeStart) {
    switch start {
    case .seed(let seed):
      var random = RandomStream(seed: fault == .constantStart ? 0 : seed)
      position = random.uniform(from: 0, to: 1)
      if fault != .leftover { velocity = 0 }
    case .state(let state): (position, velocity) = (state[0], state[1])
    }
  }

  func step(_ action: UnsafeBufferPointer<Float>) -> StepOutcome {
    velocity += 0.1 * Double(action[0])
    position += 0.1 * velocity + 1e-3 * drift
    let reward = fault == .infiniteReward ? Float.infinity : Float(-abs(position))
    return StepOutcome(reward: reward, isTerminated: abs(position) > 500)
  }

  func observe(into observation: UnsafeMutableBufferPointer<Float>) {
    observation[0] = Float(position)
    observation[1] = Float(velocity)
  }

  func save(to state: inout EnvironmentState) {
    state.appendTag("line")
    state.append(position)
    if fault != .forgetsVelocity { state.append(velocity) }
    if fault == .savingDisturbs { velocity += 1 }
  }

  func restore(from reader: inout EnvironmentState.Reader) throws {
    if fault == .acceptsAnything {
      position = (try? reader.readDouble()) ?? 0
      while (try? reader.readWord()) != nil {}
      return
    }
    try reader.readTag("line")
    position = try reader.readDouble()
    if fault != .forgetsVelocity { velocity = try reader.readDouble() }
  }

  func render(width: Int, height: Int) throws -> Image {
    if fault == .imageDisturbs { position += 1e-3 }
    let size = fault == .wrongImage ? (width: height, height: width) : (width, height)
    var pixels = [UInt8](repeating: 255, count: 3 * width * height)
    if fault != .plainImage { pixels[0] = 0 }
    return Image(width: size.0, height: size.1, channelCount: 3, samples: pixels)
  }
}
