extension EnvironmentChecker {
  func seedingFindings() throws -> [String] {
    let (first, second) = (try make(), try make())
    let actions = RandomActions(space: first.actionSpace, seed: seed)
    let trajectories = try [first, second].map { environment in
      try environment.reset(seed: seed)
      return try play(environment, actions: actions, steps: 0..<stepCount)
    }
    if let step = trajectories[0].firstDifference(from: trajectories[1]) {
      return [
        "two environments with seed \(seed) and the same actions differ after \(step) steps"
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
