import Files
import Tensors

/// Which masks of a robomimic file choose its episodes: datasets `mask/<name>` with names of
/// episodes.
public enum EpisodeMasks: Equatable, Sendable {
  /// All episodes, whatever masks there are.
  case unused
  /// `train` to train on and `valid` for validation where a file has both; else all episodes.
  case usual
  /// Masks by name. No training mask: all episodes that the validation mask leaves; no validation
  /// mask: nothing is kept for validation.
  case named(training: String?, validation: String?)
}

/// The episodes of a robomimic file that its masks choose.
struct MaskedEpisodes {
  /// Names of episodes to read, in the order of the file.
  private(set) var chosen: [String]
  /// Those of them that are kept for validation.
  private(set) var validation: Set<String> = []
  /// What was done, and which masks were left alone.
  private(set) var notes: [String] = []

  private static let folder = "mask/"
  private static let usual = (training: "train", validation: "valid")

  /// - Parameters:
  ///   - masks: which ones are asked for.
  ///   - file: has them.
  ///   - episodes: the names of all its episodes, in order.
  /// - Throws: `DemonstrationError` for masks that are missing, contradict each other or name
  ///   episodes that are not there; `FileError` if one cannot be read.
  init(_ masks: EpisodeMasks, in file: HDF5File, episodes: [String]) throws {
    let available = file.datasets.map(\.name).filter { $0.hasPrefix(Self.folder) }
      .map { String($0.dropFirst(Self.folder.count)) }
    chosen = episodes
    switch masks {
    case .usual where [Self.usual.training, Self.usual.validation].allSatisfy(available.contains):
      try choose(
        training: Self.usual.training, validation: Self.usual.validation, in: file, available)
      notes.append("demonstrations.filterKey=none takes all episodes for training")
    case .named(let training, let validation):
      try choose(training: training, validation: validation, in: file, available)
    case .unused, .usual:
      if let note = ReadingNotes.notRead(
        "mask", available, advice: "; demonstrations.filterKey names one to train on")
      {
        notes.append(note)
      }
    }
  }

  private mutating func choose(
    training: String?, validation: String?, in file: HDF5File, _ available: [String]
  ) throws {
    let all = chosen
    func members(_ mask: String) throws -> Set<String> {
      let name = Self.folder + mask
      guard available.contains(mask) else {
        throw DemonstrationError.noMask(path: file.path, mask: mask, available: available)
      }
      let names = try file.texts(of: name)
      if let unknown = names.first(where: { !all.contains($0) }) {
        throw DemonstrationError.inconsistent(
          path: file.path, tensor: name, found: "names '\(unknown)'",
          expected: "names of the file's \(all.count.of("episode"))")
      }
      return Set(names)
    }
    self.validation = try validation.map(members) ?? []
    let trained = try training.map(members) ?? Set(all).subtracting(self.validation)
    if let training, let validation,
      let both = all.first(where: {
        trained.contains($0) && self.validation.contains($0)
      })
    {
      throw DemonstrationError.inconsistent(
        path: file.path, tensor: Self.folder + validation,
        found: "names '\(both)', which is in '\(training)' too",
        expected: "other episodes for validation than for training")
    }
    chosen = all.filter { trained.contains($0) || self.validation.contains($0) }
    notes.append(
      [
        training.map { "mask '\($0)' has \(trained.count.of("episode")) to train on" },
        validation.map { "mask '\($0)' has \(self.validation.count.of("episode")) for validation" },
        all.count > chosen.count
          ? "\((all.count - chosen.count).of("other episode")) left out" : nil,
      ].compactMap { $0 }.joined(separator: ", "))
    let others = available.filter { $0 != training && $0 != validation }
    if let note = ReadingNotes.notRead("other mask", others) { notes.append(note) }
  }
}

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
    let minimum = chunkLength - padding.before - padding.after
    let named = Set(all.validationEpisodes)
    let isLongEnough = all.lengths.map { $0 >= minimum }
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
        "\(shortCount) of \(all.lengths.count.of("episode")) shorter than the \(minimum.of("step")) "
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
