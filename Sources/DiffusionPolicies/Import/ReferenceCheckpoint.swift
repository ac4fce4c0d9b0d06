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
  /// Whether it holds a moving average beside the last weights, as pretraining writes.
  public let hasAverage: Bool
  /// The epoch of pretraining or the iteration of fine-tuning.
  public let step: Int?
  private let file: PyTorchFile
  /// Names as in the state dictionary, for both.
  private let names: (model: [String], average: [String])

  private static let (modelKey, averageKey) = ("model", "ema")

  /// Opens a checkpoint and lists its tensors.
  ///
  /// - Throws: `FileError` if it cannot be read, `ReferenceCheckpointError` if it is no checkpoint
  ///   of the reference.
  public init(path: String) throws {
    let file = try PyTorchFile(path: path)
    func names(under key: String) -> [String] {
      file.names.filter { $0.hasPrefix(key + "/") }.map { String($0.dropFirst(key.count + 1)) }
    }
    let model = names(under: Self.modelKey)
    guard !model.isEmpty else {
      throw ReferenceCheckpointError(path: path, .noStateDictionary(found: file.root.summary))
    }
    self.path = path
    self.file = file
    self.names = (model, names(under: Self.averageKey))
    hasAverage = !self.names.average.isEmpty
    step =
      ["epoch", "itr"].lazy.compactMap { key in
        if case .integer(let value) = file.root[key] { value } else { nil }
      }.first
  }

  /// The networks it holds.
  public var parts: [Part] {
    Part.allCases.filter { part in
      names.model.contains { name in part.prefixes.contains { name.hasPrefix($0) } }
    }
  }

  /// A network's weights by the names that they have inside the network.
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
    let takesAverage = average ?? hasAverage
    guard hasAverage || !takesAverage else {
      throw ReferenceCheckpointError(path: path, .noAverage)
    }
    let names = takesAverage ? self.names.average : self.names.model
    let key = takesAverage ? Self.averageKey : Self.modelKey
    for prefix in part.prefixes {
      let matching = names.filter { $0.hasPrefix(prefix) }
      guard !matching.isEmpty else { continue }
      return Dictionary(
        uniqueKeysWithValues: matching.map { (String($0.dropFirst(prefix.count)), "\(key)/\($0)") })
    }
    throw ReferenceCheckpointError(path: path, .noPart(part, found: parts))
  }
}
