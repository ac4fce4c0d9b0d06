import Files
import Media
import NeuralNetworks
import Tensors

/// How beautiful images are, by a head on CLIP's image features of unit length.
///
/// The head is LAION's: a linear layer `weight bias`, or a chain `layers.<i>.weight
/// layers.<i>.bias` without activations between them (what the improved predictor is, its
/// dropouts aside).
public struct AestheticReward: ImageReward {
  /// Sees.
  public let model: ImageTextModel
  private let layers: [(weight: Tensor, bias: Tensor?)]

  /// `aesthetic:'FILE'`.
  static let kind = RewardKind(
    name: "aesthetic", argument: .path(what: "head", example: "FILE.safetensors"), needsCLIP: true,
    make: { try AestheticReward($0.clip, headPath: $0.path) })

  /// `aesthetic`
  public var name: String { "aesthetic" }

  /// Reads a head from a safetensors or PyTorch file.
  ///
  /// - Throws: `FileError` if it is not a head or does not fit the model's features.
  public init(_ model: ImageTextModel, headPath path: String) throws {
    self.model = model
    let isPyTorch = [".pt", ".pth", ".bin"].contains { path.hasSuffix($0) }
    let file: any TensorFile =
      isPyTorch ? try PyTorchFile(path: path) : try SafetensorsFile(path: path)
    var layers: [(weight: Tensor, bias: Tensor?)] = []
    var width = model.model.configuration.projectionSize
    for name in try Self.weightNames(in: file) {
      let weight = try file.tensor(named: name)
      guard weight.rank == 2, weight.shape[1] == width, weight.shape[0] > 0 else {
        throw FileError(
          .malformed, path: path, item: name,
          problem: "has shape \(weight.shape), expected [outputs, \(width)]",
          advice: layers.isEmpty ? "the head was made for another CLIP model" : nil)
      }
      width = weight.shape[0]
      let biasName = name.dropLast("weight".count) + "bias"
      var bias: Tensor?
      if file.names.contains(String(biasName)) {
        let found = try file.tensor(named: String(biasName))
        guard found.shape == [width] else {
          throw FileError(
            .malformed, path: path, item: String(biasName),
            problem: "has shape \(found.shape), expected [\(width)]")
        }
        bias = found
      }
      layers.append((weight, bias))
    }
    guard width == 1 else {
      throw FileError(
        .malformed, path: path, problem: "ends with \(width) numbers for an image, expected one")
    }
    self.layers = layers
  }

  /// The weights' names from the first layer to the last.
  private static func weightNames(in file: any TensorFile) throws -> [String] {
    if file.names.contains("weight") { return ["weight"] }
    let numbered = file.names.compactMap { name -> (index: Int, name: String)? in
      let parts = name.split(separator: ".")
      guard parts.count == 3, parts[0] == "layers", parts[2] == "weight" else { return nil }
      return Int(parts[1]).map { ($0, name) }
    }
    guard !numbered.isEmpty else {
      throw FileError(
        .unsupported, path: file.path, problem: "has neither 'weight' nor 'layers.0.weight'",
        advice: "name a head in LAION's layout")
    }
    return numbered.sorted { $0.index < $1.index }.map(\.name)
  }

  /// A number for each image; about 1 to 10 with LAION's heads.
  public func scores(images: [Image], prompts: [String]) -> [Float] {
    if images.isEmpty { return [] }
    return layers.reduce(model.features(of: images)) {
      $0.linear(weight: $1.weight, bias: $1.bias)
    }.elements
  }
}
