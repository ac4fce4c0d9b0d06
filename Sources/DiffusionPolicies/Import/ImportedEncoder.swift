import Environments
import Tensors

/// What a checkpoint's weights tell about the encoder of images in front of a network.
struct ImportedEncoder {
  /// The configuration, as far as shapes tell it: heads come from elsewhere.
  var configuration: EncoderConfiguration
  /// The cameras; 0 of an encoder of states alone.
  var cameraCount: Int
  /// `P`; 0 of an encoder of states alone.
  var patchCount: Int
  /// The channels that a patch is made of, those of `imageSteps` images.
  var channelCount: Int

  private static let prefix = "encoder."

  /// What a weight of the reference is called here: what reads images is the encoder's.
  static func name(ofReference name: String) -> String {
    let first = name.prefix { $0 != "." }
    return first == "backbone" || first.hasPrefix("compress") ? prefix + name : name
  }

  /// The encoder whose weights have those shapes, by the names of `name(ofReference:)`.
  ///
  /// - Returns: nil for one of another kind than ViT and SpatialEmb.
  init?(_ shapes: WeightShapes, completing given: EncoderConfiguration) {
    configuration = given
    guard shapes.hasNames(under: Self.prefix) else {
      configuration.kind = "flatten"
      (cameraCount, patchCount, channelCount) = (0, 0, 0)
      return
    }
    let vit = "\(Self.prefix)backbone.vit"
    let embed2 = shapes["\(vit).patch_embed.embed.0.weight", rank: 4]
    let embeddings = ["compress", "compress1", "compress2"].compactMap {
      shapes["\(Self.prefix)\($0).weight", rank: 3]
    }
    guard let positions = shapes["\(vit).pos_embed", rank: 3], let embedding = embeddings.first,
      let convolution = embed2 ?? shapes["\(vit).patch_embed.conv.weight", rank: 4]
    else { return nil }
    configuration.kind = "vit"
    configuration.vit.patchEmbedding = embed2 == nil ? .embed1 : .embed2
    configuration.vit.usesPatchNorm = shapes.has("\(vit).patch_embed.embed.1.weight")
    configuration.vit.width = positions[2]
    configuration.vit.depth = shapes.count { "\(vit).net.\($0).linear1.weight" }
    configuration.vit.featureCount = embedding[2]
    (cameraCount, patchCount) = (embeddings.count, positions[1])
    channelCount = convolution[1]
  }
}

extension ReferenceCheckpoint {
  /// Compares an encoder's configuration and cameras with what the weights imply.
  ///
  /// - Throws: `ReferenceCheckpointError` naming the first field that differs.
  func check(
    _ encoder: EncoderConfiguration, _ cameras: [Camera], for part: Part
  ) throws {
    let shapes = WeightShapes(try shapes(of: part))
    // Beside images, the reference leads states through an MLP of their own, and a predicted standard
    // deviation comes from a network of its own.
    let isOther = ["cond_mlp.", "mlp_logvar."].contains { shapes.hasNames(under: $0) }
    guard let found = ImportedEncoder(shapes, completing: encoder),
      !(found.cameraCount > 0 && isOther)
    else {
      throw ReferenceCheckpointError(
        path: path, .unknownNetwork(part, tensor: shapes.firstName ?? "nothing"))
    }
    func compare(_ field: String, _ found: some Equatable, _ expected: some Equatable) throws {
      guard "\(found)" != "\(expected)" else { return }
      throw ReferenceCheckpointError(
        path: path, .configuration(part, field: field, found: "\(found)", expected: "\(expected)"))
    }
    try compare("encoder.kind", found.configuration.kind, encoder.kind)
    try compare("as many cameras as", found.cameraCount, cameras.count)
    guard let camera = cameras.first else { return }
    let (imported, given) = (found.configuration.vit, encoder.vit)
    try compare(
      "encoder.vit.patchEmbedding", imported.patchEmbedding.rawValue, given.patchEmbedding.rawValue)
    try compare("encoder.vit.usesPatchNorm", imported.usesPatchNorm, given.usesPatchNorm)
    try compare("encoder.vit.width", imported.width, given.width)
    try compare("encoder.vit.depth", imported.depth, given.depth)
    try compare("encoder.vit.featureCount", imported.featureCount, given.featureCount)
    try compare(
      "encoder.vit.imageSteps", found.channelCount / camera.channelCount, given.imageSteps)
  }
}
