import Tensors

/// Demonstrations in a part to train on and a part for validation.
struct EpisodeSplit {
  let training: Demonstrations
  /// May have no episode.
  let validation: Demonstrations
  /// What was left out, and what could not be held out.
  private(set) var notes: [String] = []

  /// Leaves out episodes that are too short for a chunk, and holds others out for validation: those
  /// that the file names, else a fraction.
  ///
  /// - Parameters:
  ///   - all: the demonstrations.
  ///   - chunkLength: `Tp`
  ///   - padding: how far chunks may reach beyond their episode.
  ///   - fraction: of the episodes that are long enough.
  ///   - random: decides which.
  /// - Throws: `DemonstrationError.tooShort` if none is left to train on.
  init(
    _ all: Demonstrations, chunkLength: Int, padding: ChunkPadding,
    validationFraction fraction: Double, random: inout RandomStream
  ) throws(DemonstrationError) {
    let least = chunkLength - padding.before - padding.after
    let named = Set(all.validationEpisodes)
    let isLongEnough = all.lengths.map { $0 >= least }
    let usable = all.lengths.indices.filter { isLongEnough[$0] }
    let trained = usable.filter { !named.contains($0) }
    guard !trained.isEmpty else {
      let lengths = all.lengths.indices.filter { !named.contains($0) }.map { all.lengths[$0] }
      throw .tooShort(
        longestEpisode: lengths.max() ?? 0, chunkLength: chunkLength, padding: padding)
    }
    if named.isEmpty {
      (training, validation) = all.episodes(usable).split(
        validationFraction: fraction, random: &random)
    } else {
      training = all.episodes(trained)
      validation = all.episodes(usable.filter(named.contains))
    }

    let shortCount = all.lengths.count - usable.count
    if shortCount > 0 {
      notes.append(
        "\(shortCount) of \(all.lengths.count.of("episode")) shorter than the \(least.of("step")) "
          + "that a chunk needs: left out of training and validation")
    }
    if validation.lengths.isEmpty, fraction > 0 || !named.isEmpty {
      let left =
        named.isEmpty
        ? "only 1 episode can be learned from" : "no episode for validation is long enough"
      notes.append("\(left): nothing is held out for validation")
    }
  }
}
