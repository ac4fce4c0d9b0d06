extension EnvironmentChecker {
  func spaceFindings(_ environment: any Environment) -> [String] {
    var findings: [String] = []
    for (kind, space) in [
      ("observation", environment.observationSpace), ("action", environment.actionSpace),
    ] {
      if space.count == 0 { findings.append("the \(kind) space \(space.shape) is empty") }
      if space.names.count != space.shape.last ?? 0 {
        findings.append(
          "the \(kind) space of shape \(space.shape) has \(space.names.count) names")
      }
      if Set(space.names).count != space.names.count {
        findings.append("two elements of the \(kind) space have the same name")
      }
      for index in 0..<space.count {
        let (low, high) = (space.lowerBounds[index], space.upperBounds[index])
        if !(low < high) {
          findings.append("element \(index) of the \(kind) space is bounded by \(low) and \(high)")
        }
      }
    }
    if !(environment.stepsPerSecond > 0 && environment.stepsPerSecond.isFinite) {
      findings.append("it makes \(environment.stepsPerSecond) steps a second")
    }
    return findings
  }

  func observationFindings(_ environment: any Environment) throws -> [String] {
    try environment.reset(seed: seed)
    let space = environment.observationSpace
    let actions = RandomActions(space: environment.actionSpace, seed: seed)
    let trajectory = try play(environment, actions: actions, steps: 0..<stepCount)
    for (step, observation) in trajectory.observations.enumerated() {
      let violation = observation.withUnsafeBufferPointer {
        // Rounding to float may carry a value past a bound by its last digit.
        space.firstViolation(in: $0, tolerance: 1e-4)
      }
      if let index = violation {
        let bounds = "\(space.lowerBounds[index]) ... \(space.upperBounds[index])"
        return [
          "after \(step) steps, element \(index) ('\(space.names[index % space.names.count])') is "
            + "\(observation[index]), outside \(bounds)"
        ]
      }
    }
    if let step = trajectory.outcomes.firstIndex(where: { !$0.reward.isFinite }) {
      return ["the reward of step \(step) is \(trajectory.outcomes[step].reward)"]
    }
    return try cameraFindings(environment)
  }

  private func cameraFindings(_ environment: any Environment) throws -> [String] {
    let cameras = environment.cameras
    if Set(cameras.map(\.name)).count != cameras.count {
      return ["two cameras have the same name"]
    }
    let images = try environment.observeImages()
    guard images.count == cameras.count else {
      return ["\(cameras.count) cameras gave images of \(images.count)"]
    }
    return zip(cameras, images).flatMap { camera, images in
      images.compactMap { image in
        [image.height, image.width, image.channelCount] == camera.shape
          ? nil : "camera '\(camera.name)' of \(camera.shape) gave an image \(image)"
      } + (images.isEmpty ? ["camera '\(camera.name)' gave no image"] : [])
    }
  }

  func imageFindings(_ environment: any Environment) throws -> [String] {
    try environment.reset(seed: seed)
    let actions = RandomActions(space: environment.actionSpace, seed: seed)
    do {
      // Odd sizes show rows that are mixed up.
      let image = try environment.render(width: 121, height: 96)
      var findings: [String] = []
      if image.width != 121 || image.height != 96 || image.channelCount != 3 {
        findings.append("an image of 121x96 came as \(image)")
      }
      let isEmpty = (0..<image.height).allSatisfy { y in
        (0..<image.width).allSatisfy { image[$0, y] == image[0, 0] }
      }
      if isEmpty { findings.append("the image has one colour only") }

      // Looking must not change what is looked at, not even where the observation hides it.
      for step in 0..<min(stepCount, 20) {
        let before = try environment.savedState()
        _ = try environment.render(width: 32, height: 32)
        if try environment.savedState() != before {
          findings.append("drawing an image changes the state after \(step) steps")
          break
        }
        if try environment.step(actions[step]).isFinished { break }
      }
      return findings
    } catch EnvironmentError.renderingUnavailable {
      return []
    } catch let error as EnvironmentError {
      throw error
    } catch {
      return ["drawing failed: \(error)"]
    }
  }
}
