import InitialNoise

/// Priors of one origin, learned from several seeds perhaps, which stand beside the same plain
/// pictures.
struct PriorGroup {
  /// What all of them were learned for.
  let origin: PriorOrigin
  /// Where they were read.
  private(set) var members: [(path: String, file: NoisePriorFile)]

  /// The groups of some files, in the order in which their first files come.
  ///
  /// - Throws: `FileError` if a file holds no prior.
  static func read(_ paths: [String]) throws -> [PriorGroup] {
    var groups: [PriorGroup] = []
    for path in paths {
      let file = try NoisePriorFile(path: path)
      if let place = groups.firstIndex(where: { $0.origin == file.origin }) {
        groups[place].members.append((path, file))
      } else {
        groups.append(PriorGroup(origin: file.origin, members: [(path, file)]))
      }
    }
    return groups
  }

  /// How many pictures a comparison draws, with `count` of each way.
  func pictureCount(_ count: Int) -> Int {
    let bestOf = NoiseEvaluation.bestOf(imageCount: origin.imageCount, count: count)
    return count * (1 + bestOf + members.count)
  }
}
