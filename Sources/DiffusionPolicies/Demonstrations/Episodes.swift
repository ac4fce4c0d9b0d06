import Tensors

extension Demonstrations {
  /// Some of the episodes, in the given order.
  public func episodes(_ indices: some Sequence<Int>) -> Demonstrations {
    var result = Demonstrations(stateSize: stateSize, actionSize: actionSize)
    result.notes = notes
    result.recordedEnvironment = recordedEnvironment
    result.looksNormalized = looksNormalized
    let steps = steps
    for index in indices {
      let range = steps[index]
      result.states += states[range.lowerBound * stateSize..<range.upperBound * stateSize]
      result.actions += actions[range.lowerBound * actionSize..<range.upperBound * actionSize]
      if !rewards.isEmpty { result.rewards += rewards[range] }
      result.terminals += terminals[range]
      result.lengths.append(range.count)
    }
    return result
  }

  /// The first episodes, at most that many.
  public func prefix(episodes limit: Int) -> Demonstrations {
    precondition(limit > 0, "an episode limit of \(limit)")
    return limit < lengths.count ? episodes(0..<limit) : self
  }

  /// Draws whole episodes for validation; both parts keep the order of the file.
  ///
  /// - Parameters:
  ///   - fraction: of the episodes, rounded; at least one episode stays for training, and at least
  ///     one is for validation unless this is 0 or there is only one.
  ///   - random: decides which.
  public func split(
    validationFraction fraction: Double, random: inout RandomStream
  ) -> (training: Demonstrations, validation: Demonstrations) {
    precondition((0..<1).contains(fraction), "a validation fraction of \(fraction)")
    let count = lengths.count
    let rounded = Int((fraction * Double(count)).rounded())
    let validationCount = fraction == 0 ? 0 : min(max(rounded, 1), count - 1)
    let order = random.permutation(count)
    return (
      training: episodes(order[validationCount...].sorted()),
      validation: episodes(order[..<validationCount].sorted())
    )
  }
}
