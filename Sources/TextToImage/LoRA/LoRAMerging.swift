import Files
import NeuralNetworks
import Tensors

extension PromptedModel {
  /// Adds low-rank changes to the model's weights, those of several files one after another. Nothing
  /// is changed if one of them does not fit.
  ///
  /// - Throws: `FileError` naming the layers that the model lacks, or that are of another size.
  public func merge(_ files: [LoRAFile]) throws {
    guard !files.isEmpty else { return }
    let parameters = parameters
    let names = LayerNames(parameters)
    let byName = Dictionary(
      parameters.map { ($0.name, $0.parameter) }, uniquingKeysWith: { first, _ in first })
    var changes: [(parameter: Parameter, change: Tensor)] = []
    for file in files {
      var unknown: [String] = []
      for change in file.changes {
        guard let name = names.weight(ofLayer: change.layer), let parameter = byName[name] else {
          unknown.append(change.layer)
          continue
        }
        changes.append((parameter, try change.of(parameter, scale: file.scale, path: file.path)))
      }
      let isOfTwoEncoders = unknown.contains {
        $0.hasPrefix("lora_te2_") || $0.hasPrefix("text_encoder_2.")
      }
      try LoRAFile.refuse(
        unknown, path: file.path,
        problem: isOfTwoEncoders
          ? "is no layer of the model, which has one text encoder" : "is no layer of the model")
    }
    for (parameter, change) in changes { parameter.value = parameter.value + change }
  }
}

extension LoRAFile.Change {
  /// scale alpha / r B A in the shape of a weight.
  fileprivate func of(_ parameter: Parameter, scale: Float, path: String) throws -> Tensor {
    let shape = parameter.value.shape
    let rank = down.shape[0]
    guard up.shape[0] == shape[0], down.count / rank == parameter.value.count / shape[0] else {
      throw FileError(
        .unsupported, path: path, item: layer,
        problem: "has A \(down.shape) and B \(up.shape), for a weight of shape \(shape)",
        advice: "is it a LoRA for this kind of model?")
    }
    let product = up.reshaped(to: [shape[0], rank]).matmul(down.reshaped(to: [rank, -1]))
    return product.reshaped(to: shape) * (scale * factor)
  }
}
