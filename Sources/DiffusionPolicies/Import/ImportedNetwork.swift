import Foundation
import NeuralNetworks

/// What a checkpoint's weights tell about the network they belong to.
public struct ImportedNetwork: Sendable, Hashable {
  /// The configuration, as far as shapes tell it: activations, the number of groups and a fixed
  /// standard deviation come from elsewhere.
  public var configuration: NetworkConfiguration
  /// `To Do`
  public var conditionSize: Int
  /// `Tp Da`; nil for a U-Net, which takes chunks of any length.
  public var chunkSize: Int?
  /// `Da`, if the weights tell it.
  public var actionSize: Int?
}

extension ReferenceCheckpoint {
  /// The configuration and sizes that a policy's weights imply.
  ///
  /// - Parameters:
  ///   - part: the pretrained or the fine-tuned network.
  ///   - configuration: gives what shapes do not tell.
  /// - Throws: `ReferenceCheckpointError` if the network is missing or of an unknown kind.
  public func network(
    for part: Part, completing configuration: NetworkConfiguration = NetworkConfiguration()
  ) throws -> ImportedNetwork {
    let shapes = WeightShapes(try shapes(of: part))
    let network =
      if shapes.has("time_embedding.1.weight") {
        shapes.diffusionMLP(completing: configuration)
      } else if shapes.has("time_mlp.1.weight") {
        shapes.unet(completing: configuration)
      } else if shapes.mlp("mlp_weights") != nil {
        shapes.mixtureMLP(completing: configuration)
      } else {
        shapes.gaussianMLP(completing: configuration)
      }
    guard var network, network.conditionSize > 0 else {
      throw ReferenceCheckpointError(
        path: path, .unknownNetwork(part, tensor: shapes.firstName ?? "nothing"))
    }
    if !network.configuration.kind.isDenoiser {
      let weights = try weights(for: part)
      func std(_ name: String) -> Float? {
        weights[name].flatMap { $0.count == 1 ? expf(0.5 * $0.scalar) : nil }
      }
      network.configuration.minStd =
        std("logvar_min") ?? configuration.minStd
      network.configuration.maxStd =
        std("logvar_max") ?? configuration.maxStd
    }
    return network
  }

  /// The critic's configuration and its `To Do`, as its weights imply.
  ///
  /// - Throws: `ReferenceCheckpointError` if there is no critic, or one of an unknown kind.
  public func critic(
    completing configuration: CriticConfiguration = CriticConfiguration()
  ) throws -> (configuration: CriticConfiguration, conditionSize: Int) {
    let shapes = WeightShapes(try shapes(of: .critic))
    guard let layers = shapes.mlp("Q1"), layers.outputSize == 1, !shapes.has("Q2") else {
      throw ReferenceCheckpointError(
        path: path, .unknownNetwork(.critic, tensor: shapes.firstName ?? "nothing"))
    }
    var configuration = configuration
    configuration.hiddenSizes = layers.hiddenSizes
    configuration.isResidual = layers.isResidual
    configuration.usesLayerNorm = layers.usesLayerNorm
    return (configuration, layers.inputSize)
  }

  /// Compares a configuration with what the weights imply.
  ///
  /// - Throws: `ReferenceCheckpointError` naming the first field that differs.
  public func check(_ configuration: NetworkConfiguration, for part: Part) throws {
    let found = try network(for: part, completing: configuration).configuration
    func compare<Value: Equatable>(
      _ field: String, _ value: (NetworkConfiguration) -> Value
    ) throws {
      guard value(found) != value(configuration) else { return }
      throw ReferenceCheckpointError(
        path: path,
        .configuration(
          part, field: field, found: "\(value(found))", expected: "\(value(configuration))"))
    }
    try compare("kind", \.kind.rawValue)
    try compare("isResidual", \.isResidual)
    try compare("hiddenSizes", \.hiddenSizes)
    try compare("usesLayerNorm", \.usesLayerNorm)
    try compare("timeEmbeddingSize", \.timeEmbeddingSize)
    try compare("observationSizes", \.observationSizes)
    try compare("width", \.width)
    try compare("multipliers", \.multipliers)
    try compare("kernelSize", \.kernelSize)
    try compare("groupCount", \.groupCount)
    try compare("scalesFeatures", \.scalesFeatures)
    try compare("usesSmallConditionEncoder", \.usesSmallConditionEncoder)
    try compare("modes", \.modes)
    try compare("stdKind", \.stdKind.rawValue)
  }
}

extension WeightShapes {
  fileprivate func diffusionMLP(completing given: NetworkConfiguration) -> ImportedNetwork? {
    guard let time = self["time_embedding.1.weight", rank: 2], let mean = mlp("mlp_mean")
    else { return nil }
    let encoder = mlp("cond_mlp")
    var configuration = given
    configuration.kind = .mlp
    configuration.timeEmbeddingSize = time[1]
    configuration.take(mean)
    configuration.observationSizes = encoder.map { $0.hiddenSizes + [$0.outputSize] } ?? []
    return ImportedNetwork(
      configuration: configuration,
      conditionSize: encoder?.inputSize ?? (mean.inputSize - time[1] - mean.outputSize),
      chunkSize: mean.outputSize)
  }

  fileprivate func unet(completing given: NetworkConfiguration) -> ImportedNetwork? {
    let levelCount = count { "down_modules.\($0).0.blocks.0.block.0.weight" }
    let levels = (0..<levelCount).compactMap {
      self["down_modules.\($0).0.blocks.0.block.0.weight", rank: 3]
    }
    let encoderPrefix = "down_modules.0.0.cond_encoder"
    let isSmall = has("\(encoderPrefix).1.weight")
    guard let time = self["time_mlp.1.weight", rank: 2], let first = levels.first,
      levels.count == levelCount, first[0] > 0,
      let encoder = self["\(encoderPrefix).\(isSmall ? 1 : 0).weight", rank: 2]
    else { return nil }
    let observations = mlp("cond_mlp")
    var configuration = given
    configuration.kind = .unet
    configuration.timeEmbeddingSize = time[1]
    configuration.width = first[0]
    configuration.multipliers = levels.map { $0[0] / first[0] }
    configuration.kernelSize = first[2]
    configuration.scalesFeatures = encoder[0] == 2 * first[0]
    configuration.observationSizes = observations.map { $0.hiddenSizes + [$0.outputSize] } ?? []
    if observations == nil { configuration.usesSmallConditionEncoder = isSmall }
    if !has("down_modules.0.0.blocks.0.block.2.weight") { configuration.groupCount = 0 }
    return ImportedNetwork(
      configuration: configuration,
      conditionSize: observations?.inputSize ?? (encoder[1] - time[1]), actionSize: first[1])
  }

  fileprivate func gaussianMLP(completing given: NetworkConfiguration) -> ImportedNetwork? {
    // Tells it from a network on images.
    guard has("logvar_min"), var layers = mlp("mlp_mean") else { return nil }
    let chunkSize = layers.outputSize
    var configuration = given
    configuration.kind = .gaussian
    if let base = mlp("mlp_base") {
      layers = base
      layers.hiddenSizes.append(base.outputSize)
      configuration.stdKind = .predicted
    } else {
      configuration.stdKind = has("logvar") ? .learned : .fixed
    }
    configuration.take(layers)
    return ImportedNetwork(
      configuration: configuration, conditionSize: layers.inputSize, chunkSize: chunkSize,
      actionSize: self["logvar", rank: 1]?.first)
  }

  fileprivate func mixtureMLP(completing given: NetworkConfiguration) -> ImportedNetwork? {
    guard has("logvar_min"), let means = mlp("mlp_mean"), let weights = mlp("mlp_weights"),
      weights.outputSize > 0, means.outputSize % weights.outputSize == 0
    else { return nil }
    let modes = weights.outputSize
    var configuration = given
    configuration.kind = .gmm
    configuration.modes = modes
    configuration.stdKind =
      mlp("mlp_logvar") != nil ? .predicted : has("logvar") ? .learned : .fixed
    configuration.take(means)
    return ImportedNetwork(
      configuration: configuration, conditionSize: means.inputSize,
      chunkSize: means.outputSize / modes,
      actionSize: self["logvar", rank: 1].map { $0[0] / modes })
  }
}

extension NetworkConfiguration {
  fileprivate mutating func take(_ layers: WeightShapes.Layers) {
    hiddenSizes = layers.hiddenSizes
    isResidual = layers.isResidual
    usesLayerNorm = layers.usesLayerNorm
  }
}

/// The shapes of a network's weights by name, from which its sizes can be told.
struct WeightShapes {
  /// An MLP's sizes.
  struct Layers {
    var inputSize: Int
    /// All layers but the last.
    var hiddenSizes: [Int]
    var outputSize: Int
    var isResidual: Bool
    var usesLayerNorm: Bool
  }

  private let shapes: [String: [Int]]

  init(_ shapes: [String: [Int]]) { self.shapes = shapes }

  /// Any of the names, the same every time.
  var firstName: String? { shapes.keys.min() }

  /// A weight's shape if it is there and has as many dimensions.
  subscript(name: String, rank rank: Int) -> [Int]? {
    shapes[name].flatMap { $0.count == rank ? $0 : nil }
  }

  func has(_ name: String) -> Bool { shapes[name] != nil }

  /// Whether a name begins so.
  func hasNames(under prefix: String) -> Bool { shapes.keys.contains { $0.hasPrefix(prefix) } }

  /// How many of a numbered list's entries have a weight of this name.
  func count(_ name: (Int) -> String) -> Int {
    (0...).first { !has(name($0)) } ?? 0
  }

  /// The MLP whose weights start with `prefix`; nil if there is none.
  func mlp(_ prefix: String) -> Layers? {
    residualMLP(prefix) ?? plainMLP(prefix)
  }

  private func residualMLP(_ prefix: String) -> Layers? {
    let blockCount = count { "\(prefix).layers.\($0 + 1).l1.weight" }
    guard let first = self["\(prefix).layers.0.weight", rank: 2],
      let last = self["\(prefix).layers.\(blockCount + 1).weight", rank: 2]
    else { return nil }
    return Layers(
      inputSize: first[1], hiddenSizes: Array(repeating: first[0], count: 2 * blockCount + 1),
      outputSize: last[0], isResidual: true,
      usesLayerNorm: has("\(prefix).layers.1.norm1.weight")
        || has("\(prefix).layers.\(blockCount + 2).weight"))
  }

  private func plainMLP(_ prefix: String) -> Layers? {
    let layerCount = count { "\(prefix).moduleList.\($0).linear_1.weight" }
    let layers = (0..<layerCount).compactMap {
      self["\(prefix).moduleList.\($0).linear_1.weight", rank: 2]
    }
    guard let first = layers.first, let last = layers.last, layers.count == layerCount else {
      return nil
    }
    return Layers(
      inputSize: first[1], hiddenSizes: layers.dropLast().map { $0[0] }, outputSize: last[0],
      isResidual: false, usesLayerNorm: has("\(prefix).moduleList.0.norm_1.weight"))
  }
}
