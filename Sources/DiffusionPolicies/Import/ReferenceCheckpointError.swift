import NeuralNetworks

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
        \(path): the \(part.rawValue) network is no DiffusionMLP, Unet1D or Gaussian_MLP on states \
        (it has '\(tensor)'); networks on images, mixtures and transformers are not read
        """
    case .configuration(let part, let field, let found, let expected):
      return """
        \(path): the \(part.rawValue) network has \(field) \(found), but the configuration states \
        \(expected); change \(field) in the configuration
        """
    }
  }
}
