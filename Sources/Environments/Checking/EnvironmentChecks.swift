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

extension EnvironmentChecker {
  func seedingFindings() throws -> [String] {
    let (first, second) = (try make(), try make())
    let actions = RandomActions(space: first.actionSpace, seed: seed)
    let trajectories = try [first, second].map { environment in
      try environment.reset(seed: seed)
      return try play(environment, actions: actions, steps: 0..<stepCount)
    }
    if let step = trajectories[0].firstDifference(from: trajectories[1]) {
      return step == 0
        ? ["it ignores its seed: two environments reset with seed \(seed) start differently"]
        : [
          "it is not deterministic: two environments with seed \(seed) and the same actions differ "
            + "after \(step) steps"
        ]
    }
    let starts = try (0..<8).map { offset in
      try first.reset(seed: seed &+ UInt64(offset))
      return first.observation.map(\.bitPattern)
    }
    return Set(starts).count == 1 ? ["eight seeds give one and the same initial state"] : []
  }

  func independenceFindings() throws -> [String] {
    let (fresh, used) = (try make(), try make())
    let actions = RandomActions(space: fresh.actionSpace, seed: seed)
    try fresh.reset(seed: seed)
    let expected = try play(fresh, actions: actions, steps: 0..<stepCount)
    let other = RandomActions(space: fresh.actionSpace, seed: seed &+ 1)
    try used.reset(seed: seed &+ 1)
    _ = try play(used, actions: other, steps: 0..<stepCount)
    try used.reset(seed: seed)
    let found = try play(used, actions: actions, steps: 0..<stepCount)
    return found.firstDifference(from: expected).map {
      ["an episode before this one shows after \(expected.describe(step: $0))"]
    } ?? []
  }

  func savingFindings() throws -> [String] {
    let (environment, other) = (try make(), try make())
    let actions = RandomActions(space: environment.actionSpace, seed: seed)
    try environment.reset(seed: seed)
    let undisturbed = try play(environment, actions: actions, steps: 0..<stepCount)
    let middle = undisturbed.outcomes.count / 2

    try environment.reset(seed: seed)
    var saved = EnvironmentState()
    let disturbed = try play(environment, actions: actions, steps: 0..<stepCount) { step in
      let state = try environment.savedState()
      if step == middle { saved = state }
    }
    if let step = disturbed.firstDifference(from: undisturbed) {
      return ["saving changes the episode after \(disturbed.describe(step: step))"]
    }

    var findings: [String] = []
    for (environment, place) in [(environment, "the same"), (other, "a new")] {
      do {
        try environment.restore(saved)
      } catch {
        findings.append("\(place) environment does not take the state back: \(error)")
        continue
      }
      if try environment.savedState() != saved {
        findings.append("\(place) environment, saved again, gives another state")
      }
      let replayed = try play(environment, actions: actions, steps: middle..<stepCount)
      let expected = undisturbed.after(step: middle)
      if let step = replayed.firstDifference(from: expected) {
        findings.append("restored in \(place) environment, the episode differs after \(step) steps")
      }
    }
    return findings + refusalFindings(other, saved)
  }

  /// A state of something else must be refused with an error.
  private func refusalFindings(
    _ environment: any Environment, _ saved: EnvironmentState
  ) -> [String] {
    let shortened = EnvironmentState(words: saved.words.dropLast())
    let wrong = EnvironmentState(words: [1, 2, 3])
    return [("cut short", shortened), ("that is none", wrong)].compactMap { kind, state in
      do {
        try environment.restore(state)
        return "a state \(kind) is accepted"
      } catch {
        return error is EnvironmentError ? nil : "a state \(kind) gives the error \(error)"
      }
    }
  }

  func brokenNumberFindings(_ environment: any Environment) throws -> [String] {
    try EnvironmentWarnings.silently { try brokenNumberFindingsAloud(environment) }
  }

  private func brokenNumberFindingsAloud(_ environment: any Environment) throws -> [String] {
    var findings: [String] = []
    for value in [Float.nan, .infinity, .greatestFiniteMagnitude] {
      try environment.reset(seed: seed)
      let action = [Float](repeating: value, count: environment.actionSpace.count)
      let outcome = try environment.step(action)
      if !outcome.isFinished, !value.isFinite {
        findings.append("an action of \(value) does not end the episode")
      }
      if !outcome.reward.isFinite {
        findings.append("an action of \(value) gives the reward \(outcome.reward)")
      }
      if let index = environment.observation.firstIndex(where: { !$0.isFinite }) {
        findings.append(
          "after an action of \(value), element \(index) of the observation is "
            + "\(environment.observation[index])")
      }
      try environment.reset(seed: seed)
      if environment.observation.contains(where: { !$0.isFinite }) {
        findings.append("a reset after an action of \(value) does not heal the observation")
      }
    }
    return findings
  }
}

extension EnvironmentChecker.Trajectory {
  /// The part that begins with the observation before a step.
  func after(step: Int) -> Self {
    Self(
      observations: Array(observations[step...]), images: Array(images.dropFirst(step)),
      outcomes: Array(outcomes[step...]))
  }

  /// Names a step and the place where the difference shows first.
  func describe(step: Int) -> String {
    step < observations.count ? "\(step) steps" : "\(step) steps, where one ended"
  }
}
