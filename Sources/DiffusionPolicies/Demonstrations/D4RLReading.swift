import Files

extension Demonstrations {
  private static let (terminals, timeouts) = ("terminals", "timeouts")

  /// Whether a file may be D4RL's.
  static func isD4RL(_ names: [String], actionKey: String) -> Bool {
    names.contains(actionKey) && (names.contains(terminals) || names.contains(timeouts))
  }

  /// Reads a D4RL file: an episode ends with the step that is a terminal or a time-out, or after as
  /// many steps as it may have at most.
  ///
  /// Files from before D4RL's second version have no `timeouts`; as in D4RL, the environment's time
  /// limit stands in for them. Steps after the last end are left out, as the reference does. The
  /// reference also leaves out episodes without positive return; these are kept here.
  static func d4rl(_ file: HDF5File, _ request: DemonstrationRequest) throws -> Demonstrations {
    let tensors = CheckedTensors(path: file.path)
    let keys = request.observations ?? ["observations"]
    let optional = ["rewards", terminals, timeouts].filter { file.dataset(named: $0) != nil }
    let names = keys + [request.actionKey] + optional
    let stored = Dictionary(
      zip(names, try file.storedTensors(named: names)), uniquingKeysWith: { first, _ in first })
    func rows(_ name: String, count: Int? = nil) throws -> (values: [Float], width: Int) {
      guard let tensor = stored[name] else { return ([], 0) }
      return try tensors.rows(tensor, named: name, count: count)
    }
    let (actions, actionSize) = try rows(request.actionKey)
    let count = actions.count / actionSize
    let observations = try keys.map { try rows($0, count: count) }
    func column(_ name: String) throws -> [Float]? {
      try stored[name].map { try tensors.column($0, named: name, count: count) }
    }
    let rewards = try column("rewards")
    let isTerminal = try column(terminals)?.map { $0 != 0 }
    let isTimeOut = try column(timeouts)?.map { $0 != 0 }
    let limit = try request.maxEpisodeSteps.limit(isNeeded: isTimeOut == nil)

    let ends = episodeEnds(
      stepCount: count, isEnd: { isTerminal?[$0] == true || isTimeOut?[$0] == true },
      maxSteps: limit.steps
    ).prefix(request.episodeLimit ?? count)
    guard let last = ends.last else {
      throw DemonstrationError.noEpisodes(
        path: file.path,
        reason: "no step is marked in 'terminals' or 'timeouts'; "
          + "set demonstrations.maxEpisodeSteps to the steps of an episode")
    }
    let kept = last + 1
    let stateSize = observations.reduce(0) { $0 + $1.width }
    var result = Demonstrations(stateSize: stateSize, actionSize: actionSize)
    result.states = Array(joined(observations, count: count)[..<(kept * stateSize)])
    result.actions = Array(actions[..<(kept * actionSize)])
    result.rewards = rewards.map { Array($0[..<kept]) } ?? []
    result.terminals =
      isTerminal.map { Array($0[..<kept]) } ?? [Bool](repeating: false, count: kept)
    result.lengths = zip(ends, [-1] + ends).map { $0 - $1 }
    if kept < count, request.episodeLimit == nil {
      result.notes.append(
        "the last \((count - kept).of("step")) belong to no whole episode: left out")
    }
    result.notes += [
      rewards == nil ? "no 'rewards': returns are not known" : nil,
      isTerminal == nil ? "no 'terminals': episodes end with 'timeouts' alone" : nil,
      isTimeOut == nil ? limit.note : nil,
      ReadingNotes.squeezed(
        (keys + [request.actionKey]).compactMap { name in stored[name].map { (name, $0.shape) } }),
      ReadingNotes.notRead(
        "other tensor", file.datasets.map(\.name).filter { !names.contains($0) }),
    ].compactMap { $0 }
    return result
  }

  /// The last step of each episode.
  private static func episodeEnds(
    stepCount: Int, isEnd: (Int) -> Bool, maxSteps: Int?
  ) -> [Int] {
    var ends: [Int] = []
    var start = 0
    for step in 0..<stepCount where isEnd(step) || step - start + 1 == maxSteps {
      ends.append(step)
      start = step + 1
    }
    return ends
  }
}

extension DemonstrationRequest.MaxEpisodeSteps {
  /// The limit that holds, and a sentence for a file that does not mark time-outs itself.
  fileprivate func limit(isNeeded: Bool) throws -> (steps: Int?, note: String) {
    let lacking = "no 'timeouts': an episode ends with a terminal"
    if let given { return (given, "\(lacking) or after \(given.of("step"))") }
    guard isNeeded, let (steps, environment) = try ofEnvironment() else {
      return (nil, "\(lacking) alone; demonstrations.maxEpisodeSteps ends longer ones")
    }
    return (
      steps,
      "\(lacking) or after \(steps.of("step")), the time limit of '\(environment)'; "
        + "demonstrations.maxEpisodeSteps sets another"
    )
  }
}
