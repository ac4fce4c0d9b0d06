import Files
import NeuralNetworks
import Tensors

/// A checkpoint of the DPPO reference: what its agents write with `torch.save`.
public struct ReferenceCheckpoint: Sendable {
  /// The networks that a checkpoint may hold.
  public enum Part: String, Sendable, CaseIterable {
    /// The network of pretraining, frozen in fine-tuning.
    case pretrained
    /// The network that fine-tuning trains.
    case fineTuned
    /// The state-value network.
    case critic
    /// DDIM's eta.
    case eta

    /// Where the reference keeps it. Fine-tuning names the pretrained network twice, and `actor` is
    /// the one that it runs.
    var prefixes: [String] {
      switch self {
      case .pretrained: ["actor.", "network."]
      case .fineTuned: ["actor_ft."]
      case .critic: ["critic."]
      case .eta: ["eta."]
      }
    }
  }

  /// The path that it was opened by.
  public let path: String
  /// Whether it holds a moving average, as pretraining writes.
  public var hasEMA: Bool { average != nil }
  /// The epoch of pretraining or the iteration of fine-tuning.
  public let step: Int?
  private let file: PyTorchFile
  /// The last weights; one of both is there.
  private let model: StateDictionary?
  private let average: StateDictionary?
  /// Dictionaries of tensors that are no networks, or others than those.
  private let others: [StateDictionary]

  private static let (modelKey, emaKey) = ("model", "ema")

  /// Opens a checkpoint and finds its networks.
  ///
  /// The reference keeps them under `model` and their moving average under `ema`. Those that
  /// somebody saved otherwise are found too: under another key, as the checkpoint itself, as an
  /// average alone, or with names that `DataParallel` or `torch.compile` have lengthened.
  ///
  /// - Throws: `FileError` if it cannot be read, `ReferenceCheckpointError` if it has no network of
  ///   the reference.
  public init(path: String) throws {
    let file = try PyTorchFile(path: path)
    let dictionaries = try StateDictionary.all(in: file)
    func choose(average: Bool, key: String) throws -> StateDictionary? {
      let candidates = dictionaries.filter { $0.hasNetworks && $0.isEMA == average }
      if let usual = candidates.first(where: { $0.key == key }) { return usual }
      guard candidates.count <= 1 else {
        throw ReferenceCheckpointError(path: path, .ambiguous(candidates.map(\.title)))
      }
      return candidates.first
    }
    let model = try choose(average: false, key: Self.modelKey)
    let average = try choose(average: true, key: Self.emaKey)
    guard model != nil || average != nil else {
      throw ReferenceCheckpointError(path: path, .noStateDictionary(found: file.root.summary))
    }
    self.path = path
    self.file = file
    self.model = model
    self.average = average
    others = dictionaries.filter { $0.key != model?.key && $0.key != average?.key }
    step =
      ["epoch", "itr"].lazy.compactMap { key in
        if case .integer(let value) = file.root[key] { value } else { nil }
      }.first
  }

  /// The networks it holds.
  public var parts: [Part] {
    let names = (model ?? average)?.names.keys.map { $0 } ?? []
    return Part.allCases.filter { part in
      names.contains { name in part.prefixes.contains { name.hasPrefix($0) } }
    }
  }

  /// What an import takes and what it leaves out, one sentence each.
  ///
  /// - Parameters:
  ///   - average: as in `weights(for:average:)`.
  /// - Throws: `ReferenceCheckpointError` if the checkpoint lacks them.
  public func notes(average: Bool? = nil) throws(ReferenceCheckpointError) -> [String] {
    let taken = try dictionary(average: average)
    let left = taken.key == model?.key ? self.average : model
    let prefixes = Part.allCases.compactMap { part in
      part.prefixes.first { prefix in taken.names.keys.contains { $0.hasPrefix(prefix) } }
    }
    let unread = taken.counts { name in !prefixes.contains { name.hasPrefix($0) } }
    let other = others.map { "\($0.title) (\($0.names.count.of("tensor")))" }
    return [
      "the weights are those of \(taken.title)"
        + (left.map { ", not those of \($0.title)" } ?? ""),
      unread.isEmpty ? nil : "not read of \(taken.title): \(ReadingNotes.list(unread))",
      other.isEmpty ? nil : "not read: \(ReadingNotes.list(other))",
    ].compactMap { $0 }
  }

  /// A network's weights by the names that they have inside the network, those that read images
  /// under `encoder`.
  ///
  /// - Parameters:
  ///   - part: which network.
  ///   - average: whether to take the moving average; nil to take it if there is one, as the
  ///     reference does.
  /// - Throws: `ReferenceCheckpointError` if the checkpoint lacks them, `FileError` if it is
  ///   damaged.
  public func weights(for part: Part, average: Bool? = nil) throws -> [String: Tensor] {
    var weights: [String: Tensor] = [:]
    for (name, key) in try keys(of: part, average: average) {
      weights[name] = try file.tensor(named: key)
    }
    return weights
  }

  /// Loads a network's weights by name.
  ///
  /// - Throws: `ReferenceCheckpointError` naming a tensor that is missing, unexpected or misshapen;
  ///   nothing is changed then.
  public func load(_ part: Part, average: Bool? = nil, into module: any Module) throws {
    do {
      try module.parameters.load(try weights(for: part, average: average))
    } catch let error as ParameterError {
      throw ReferenceCheckpointError(path: path, .weights(part, error))
    }
  }

  /// The shapes of a network's weights, without reading them.
  func shapes(of part: Part, average: Bool? = nil) throws -> [String: [Int]] {
    try keys(of: part, average: average).compactMapValues { file.layout(of: $0)?.shape }
  }

  /// Names inside the network, and in the file.
  private func keys(of part: Part, average: Bool?) throws -> [String: String] {
    let dictionary = try dictionary(average: average)
    for prefix in part.prefixes {
      let matching = dictionary.names.filter { $0.key.hasPrefix(prefix) }
      guard !matching.isEmpty else { continue }
      return Dictionary(
        uniqueKeysWithValues: matching.map {
          (ImportedEncoder.name(ofReference: String($0.key.dropFirst(prefix.count))), $0.value)
        })
    }
    throw ReferenceCheckpointError(path: path, .noPart(part, found: parts))
  }

  private func dictionary(
    average takesEMA: Bool?
  ) throws(ReferenceCheckpointError) -> StateDictionary {
    switch (takesEMA ?? hasEMA, model, average) {
    case (true, _, let average?): return average
    case (false, let model?, _): return model
    case (true, _, nil): throw ReferenceCheckpointError(path: path, .noEMA)
    case (false, nil, _):
      throw ReferenceCheckpointError(path: path, .emaOnly(average?.title ?? "nothing"))
    }
  }
}

/// Why a checkpoint of the DPPO reference cannot be imported.
public struct ReferenceCheckpointError: Error, CustomStringConvertible, Equatable {
  /// What is wrong.
  public enum Problem: Sendable, Equatable {
    /// There is no dictionary of tensors with networks of the reference.
    case noStateDictionary(found: String)
    /// There are several, none of them under the reference's key.
    case ambiguous([String])
    /// Two tensors have the same name without what lies around their network.
    case duplicate(String, [String])
    /// There is no moving average.
    case noEMA
    /// There is nothing but a moving average, under that key.
    case emaOnly(String)
    /// A network is not in the file.
    case noPart(ReferenceCheckpoint.Part, found: [ReferenceCheckpoint.Part])
    /// Tensors are missing, unexpected or misshapen.
    case weights(ReferenceCheckpoint.Part, ParameterError)
    /// A network of a kind that Attune does not have, with one of its tensors.
    case unknownNetwork(ReferenceCheckpoint.Part, tensor: String)
    /// A network that was made otherwise than the configuration says.
    case configuration(ReferenceCheckpoint.Part, field: String, found: String, expected: String)
  }

  /// The checkpoint's path.
  public let path: String
  /// What is wrong with it.
  public let problem: Problem

  init(path: String, _ problem: Problem) {
    self.path = path
    self.problem = problem
  }

  /// The file, what was found and expected, and what to do.
  public var description: String {
    switch problem {
    case .noStateDictionary(let found):
      return """
        \(path): no tensors 'network.*' or 'actor.*' in it (the file is a \(found)); give a \
        state_<n>.pt that the DPPO reference wrote, or a state dictionary of its networks
        """
    case .ambiguous(let titles):
      return """
        \(path): networks in \(titles.joined(separator: " and in ")); save the wanted ones alone, \
        under 'model'
        """
    case .duplicate(let name, let names):
      return """
        \(path): '\(name)' is there twice, as \(names.map { "'\($0)'" }.joined(separator: " and ")); \
        save the model once
        """
    case .noEMA:
      return "\(path): no tensors under 'ema'; fine-tuning keeps no average, take 'model' instead"
    case .emaOnly(let title):
      return "\(path): has a moving average only, \(title); leave out --no-ema"
    case .noPart(let part, let found):
      let names = part.prefixes.map { "'\($0)*'" }.joined(separator: " or ")
      return """
        \(path): no tensors \(names) for the \(part.rawValue) network; the file has \
        \(found.map(\.rawValue).joined(separator: ", "))
        """
    case .weights(let part, let error):
      return "\(path): \(part.rawValue) network: \(error)"
    case .unknownNetwork(let part, let tensor):
      return """
        \(path): the \(part.rawValue) network is no DiffusionMLP, Unet1D, Gaussian_MLP or GMM_MLP on \
        states or on images by ViT and SpatialEmb (it has '\(tensor)'); transformers are not read
        """
    case .configuration(let part, let field, let found, let expected):
      return """
        \(path): the \(part.rawValue) network has \(field) \(found), but the configuration states \
        \(expected); change \(field) in the configuration
        """
    }
  }
}
