import Files
import Foundation
import Media
import NeuralNetworks
import Tensors
import TextToImage

/// A video tower and a text tower that meet in one space: ViCLIP (Wang et al., arXiv:2307.06942), the
/// reward of clips in FIND's paper.
///
/// A file of OpenGVLab's layout, `vision_encoder.*`, `text_encoder.*` and `temp`, as safetensors or
/// under `model` in a `.pth`; sizes follow from the weights, and heads are 64 wide.
public struct ViCLIPModel: Sendable {
  private let video: VideoEncoder
  private let text: CLIPTextEncoder
  private let tokenizer: CLIPTokenizer
  /// Frames that the tower sees of a clip.
  public let frameCount: Int
  /// Pixels in a row, and rows, of each frame as the tower sees it.
  public let imageSize: Int

  /// Of ImageNet: red, green and blue in 0 ... 1.
  private static let mean: [Float] = [0.485, 0.456, 0.406]
  private static let standardDeviation: [Float] = [0.229, 0.224, 0.225]
  private static let headSize = 64

  /// Reads a folder with the weights, `*.pth` or `*.safetensors`, and CLIP's `vocab.json merges.txt`.
  ///
  /// - Throws: `FileError` naming the file and tensor if a part is missing, damaged or not ViCLIP's.
  public init(folder: String) throws {
    try RequiredFolder.check(
      folder, what: "the folder of a ViCLIP model", marker: "vocab.json",
      advice: "put CLIP's vocab.json and merges.txt beside the weights, ViClip-*.pth")
    tokenizer = try CLIPTokenizer(folder: folder)
    let weights = try ViCLIPWeights(folder: folder)
    var unset = UnsetWeights()
    // 1. The video tower.
    let positions = try weights.shape("vision_encoder.positional_embedding", rank: 2)
    let patches = try weights.shape("vision_encoder.conv1.weight", rank: 5)
    let frames = try weights.shape("vision_encoder.temporal_positional_embedding", rank: 3)
    let projection = try weights.shape("vision_encoder.proj", rank: 2)
    let side = Int(Double(positions[0] - 1).squareRoot().rounded())
    guard side * side + 1 == positions[0], patches[2] == 1, patches[3] == patches[4],
      positions[1] % Self.headSize == 0
    else {
      throw weights.error(
        "vision_encoder.conv1.weight",
        "has shape \(patches) beside positions \(positions), which is no tower of square patches")
    }
    frameCount = frames[1]
    imageSize = side * patches[3]
    video = VideoEncoder(
      width: positions[1], patchSize: patches[3], patchCount: positions[0] - 1,
      frameCount: frameCount, layerCount: weights.layerCount("vision_encoder"),
      projectionSize: projection[1], random: &unset)
    try weights.load(into: video, from: "vision_encoder", names: ViCLIPWeights.videoName)
    // 2. The text tower.
    let tokens = try weights.shape("text_encoder.token_embedding.weight", rank: 2)
    let length = try weights.shape("text_encoder.positional_embedding", rank: 2)[0]
    let textProjection = try weights.shape("text_encoder.text_projection", rank: 2)
    guard tokens[1] % Self.headSize == 0, textProjection[1] == projection[1] else {
      throw weights.error(
        "text_encoder.text_projection",
        "has shape \(textProjection), which does not meet the video tower's \(projection)")
    }
    guard tokenizer.maxToken < tokens[0] else {
      throw weights.error(
        "text_encoder.token_embedding.weight",
        "has \(tokens[0]) rows, less than the vocabulary has tokens",
        advice: "take the vocab.json and merges.txt of CLIP")
    }
    var configuration = CLIPTextConfiguration()
    configuration.vocabularySize = tokens[0]
    configuration.hiddenSize = tokens[1]
    configuration.intermediateSize = 4 * tokens[1]
    configuration.layerCount = weights.layerCount("text_encoder")
    configuration.headCount = tokens[1] / Self.headSize
    configuration.maximumLength = length
    configuration.startToken = tokenizer.startToken
    configuration.endToken = tokenizer.endToken
    configuration.projectionSize = textProjection[1]
    text = CLIPTextEncoder(configuration, random: &unset)
    try weights.load(into: text, from: "text_encoder", names: ViCLIPWeights.textName)
  }

  /// Clips in the common space as rows of unit length, `[B, P]`; an image is a clip that stands still.
  public func features(of media: [Media]) -> Tensor {
    precondition(!media.isEmpty, "features of no clips")
    return shardedMap(count: media.count, shardSize: 1) { rows in
      video(.stacked(media[rows].map(view))).normalizedRows()
    }
  }

  /// Texts in the common space as rows of unit length, `[B, P]`.
  public func features(of texts: [String]) -> Tensor {
    precondition(!texts.isEmpty, "features of no texts")
    let limit = text.configuration.maximumLength
    let tokens = texts.map { text -> [Int] in
      let tokens = tokenizer.tokens(text)
      return tokens.count > limit ? tokens.prefix(limit - 1) + [tokenizer.endToken] : tokens
    }
    let length = tokens.map(\.count).max() ?? 0
    // What follows an end token changes nothing.
    let padded = tokens.map {
      $0 + [Int](repeating: tokenizer.endToken, count: length - $0.count)
    }
    guard let features = text(padded).projected else {
      preconditionFailure("the text tower of ViCLIP has a projection")
    }
    return features.normalizedRows()
  }

  /// The frames that the tower sees of a clip, normalized, `[F, H, W, 3]`: every (n / F)-th of n from
  /// the first on; of fewer than F, spread, some shown again.
  func view(_ media: Media) -> Tensor {
    let frames = media.frames
    let stride = frames.count / frameCount
    let chosen =
      stride > 0
      ? (0..<frameCount).map { frames[$0 * stride] }
      : VideoReader.indices(count: frameCount, of: frames.count).map { frames[$0] }
    let images = Tensor.stacked(
      chosen.map { frame in
        let scaled = frame.rgb().tensor(range: .zeroToOne)
          .bilinear(height: imageSize, width: imageSize)
        // OpenCV gives whole levels.
        return Image(scaled, range: .zeroToOne).tensor(range: .zeroToOne)
      })
    return (images - Tensor(Self.mean)) / Tensor(Self.standardDeviation)
  }
}

/// CLIP's image tower over the patches of all frames at once.
private final class VideoEncoder: Module {
  private let width: Int
  private let classEmbedding: Parameter
  /// `[N + 1, D]`: of the class token and of each patch in its frame.
  private let positions: Parameter
  /// `[1, F, D]`
  private let times: Parameter
  private let patches: Conv2d
  private let firstNorm: LayerNorm
  private let encoder: CLIPTransformer
  private let lastNorm: LayerNorm
  private let projection: Linear

  init(
    width: Int, patchSize: Int, patchCount: Int, frameCount: Int, layerCount: Int,
    projectionSize: Int, random: inout some RandomSource
  ) {
    self.width = width
    classEmbedding = Parameter(random.normal([width], mean: 0, standardDeviation: 1))
    positions = Parameter(random.normal([patchCount + 1, width], mean: 0, standardDeviation: 1))
    times = Parameter(random.normal([1, frameCount, width], mean: 0, standardDeviation: 1))
    patches = Conv2d(
      inputChannels: 3, outputChannels: width, kernelSize: patchSize, stride: patchSize,
      hasBias: false, random: &random)
    firstNorm = LayerNorm(size: width)
    encoder = CLIPTransformer(
      .init(
        width: width, intermediateSize: 4 * width, layerCount: layerCount, headCount: width / 64,
        activation: .geluQuick, normEpsilon: 1e-5), random: &random)
    lastNorm = LayerNorm(size: width)
    projection = Linear(
      inputSize: width, outputSize: projectionSize, hasBias: false, random: &random)
  }

  /// Normalized clips `[B, F, H, W, 3]` to `[B, P]`; not of unit length.
  func callAsFunction(_ clips: Tensor) -> Tensor {
    let (count, frameCount) = (clips.shape[0], clips.shape[1])
    // 1. The patches of every frame, and where and when they are.
    let frames = clips.reshaped(to: [-1] + clips.shape.suffix(3))
    let tokens = patches(frames).reshaped(to: [count, frameCount, -1, width])  // [B, F, N, D]
    let places = positions.tensor.slice(1..<positions.value.shape[0])  // [N, D]
    let placed = tokens + places + times.tensor.reshaped(to: [frameCount, 1, width])
    // 2. One class token for all of them.
    let start = (classEmbedding.tensor + positions.tensor[0]).broadcast(to: [count, 1, width])
    let sequence = Tensor.concatenated(
      [start, placed.reshaped(to: [count, -1, width])], along: 1)
    let states = encoder(firstNorm(sequence), isCausal: false)
    return projection(lastNorm(states.slice(0..<1, along: 1).reshaped(to: [count, width])))
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("class_embedding", classEmbedding)
    parameters.add("positional_embedding", positions)
    parameters.add("temporal_positional_embedding", times)
    parameters.add("conv1", patches)
    parameters.add("ln_pre", firstNorm)
    parameters.add("encoder", encoder)
    parameters.add("ln_post", lastNorm)
    parameters.add("proj", projection)
  }
}

/// ViCLIP's file, by the names of the modules that take its tensors.
private struct ViCLIPWeights {
  private let file: any TensorFile
  /// What stands before every name.
  private let prefix: String

  init(folder: String) throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
      $0.hasSuffix(".pth") || $0.hasSuffix(".pt") || $0.hasSuffix(".safetensors")
    }.sorted()
    guard let name = names.first, names.count == 1 else {
      throw FileError(
        names.isEmpty ? .missing : .malformed, path: folder,
        problem: names.isEmpty
          ? "has no weights, *.pth or *.safetensors" : "has several weights: \(names)",
        advice: "put ViClip-InternVid-10M-FLT.pth, or another one of its layout, there")
    }
    let path = "\(folder)/\(name)"
    let file: any TensorFile =
      name.hasSuffix(".safetensors") ? try SafetensorsFile(path: path) : try PyTorchFile(path: path)
    self.file = file
    prefix = ["", "model/", "model."].first { file.names.contains("\($0)temp") } ?? ""
  }

  func error(_ name: String, _ problem: String, advice: String? = nil) -> FileError {
    FileError(
      .malformed, path: file.path, item: name, problem: problem,
      advice: advice ?? "name a folder with the weights of ViCLIP")
  }

  private func tensor(_ name: String) throws -> Tensor {
    guard file.names.contains(prefix + name) else {
      throw FileError(
        .missing, path: file.path, item: name, problem: "is not in the file",
        advice: "name a folder with the weights of ViCLIP")
    }
    return try file.tensor(named: prefix + name)
  }

  func shape(_ name: String, rank: Int) throws -> [Int] {
    let shape = try tensor(name).shape
    guard shape.count == rank, shape.allSatisfy({ $0 > 0 }) else {
      throw error(name, "has shape \(shape), expected \(rank) sizes")
    }
    return shape
  }

  /// The layers of a tower.
  func layerCount(_ tower: String) -> Int {
    let start = "\(prefix)\(tower).transformer.resblocks."
    let numbers = file.names.compactMap { name in
      name.hasPrefix(start)
        ? name.dropFirst(start.count).split(separator: ".").first.flatMap { Int($0) } : nil
    }
    return (numbers.max() ?? -1) + 1
  }

  /// Which tensor of a tower a parameter is, and which third of it, if it is one.
  struct Source {
    var name: String
    /// Of `in_proj`, where query, key and value lie one after the other.
    var third: Int?
    var isTransposed = false
  }

  /// Gives every parameter of a tower its value.
  func load(
    into tower: some Module, from prefix: String, names: (String) -> Source
  ) throws {
    for (name, parameter) in tower.parameters {
      let source = names(name)
      var value = try tensor("\(prefix).\(source.name)")
      if let third = source.third, value.shape[0] % 3 == 0 {
        let size = value.shape[0] / 3
        value = value.slice(third * size..<(third + 1) * size)
      }
      if source.isTransposed, value.rank == 2 { value = value.transposed() }
      let shape = parameter.value.shape
      guard value.count == shape.reduce(1, *) else {
        throw error(
          "\(prefix).\(source.name)", "has shape \(value.shape), where \(shape) is expected")
      }
      parameter.value = value.reshaped(to: shape)
    }
  }

  /// The source of a parameter of `VideoEncoder`.
  static func videoName(_ name: String) -> Source {
    if name == "proj.weight" { return Source(name: "proj", isTransposed: true) }
    return layerName(name, in: "encoder.layers.") ?? Source(name: name)
  }

  /// The source of a parameter of `CLIPTextEncoder`.
  static func textName(_ name: String) -> Source {
    switch name {
    case "text_projection.weight": Source(name: "text_projection", isTransposed: true)
    case "text_model.embeddings.token_embedding.weight": Source(name: "token_embedding.weight")
    case "text_model.embeddings.position_embedding.weight": Source(name: "positional_embedding")
    case "text_model.final_layer_norm.weight": Source(name: "ln_final.weight")
    case "text_model.final_layer_norm.bias": Source(name: "ln_final.bias")
    default: layerName(name, in: "text_model.encoder.layers.") ?? Source(name: name)
    }
  }

  /// transformers' names of a layer in OpenAI's, which has query, key and value in one tensor.
  private static func layerName(_ name: String, in prefix: String) -> Source? {
    guard name.hasPrefix(prefix) else { return nil }
    let parts = name.dropFirst(prefix.count).split(separator: ".", maxSplits: 1)
    let (layer, rest) = (parts[0], String(parts[1]))
    let block = "transformer.resblocks.\(layer)."
    let kind = rest.hasSuffix(".weight") ? "weight" : "bias"
    for (third, projection) in ["q_proj", "k_proj", "v_proj"].enumerated()
    where rest.hasPrefix("self_attn.\(projection).") {
      return Source(name: "\(block)attn.in_proj_\(kind)", third: third)
    }
    let renamed = rest.replacing("self_attn.out_proj", with: "attn.out_proj")
      .replacing("layer_norm1", with: "ln_1").replacing("layer_norm2", with: "ln_2")
      .replacing("mlp.fc1", with: "mlp.c_fc").replacing("mlp.fc2", with: "mlp.c_proj")
    return Source(name: block + renamed)
  }
}

extension Tensor {
  /// An image `[H, W, C]` at another size, by the four nearest pixels of each new one, as
  /// `torch.nn.functional.interpolate(mode="bilinear")` has it; nothing is averaged where it shrinks.
  func bilinear(height: Int, width: Int) -> Tensor {
    if shape[0] == height && shape[1] == width { return self }
    func weights(_ size: Int, _ newSize: Int) -> Tensor {
      // A row for each new place, with its two old ones.
      Tensor(shape: [newSize, size]) { elements in
        for index in elements.indices { elements[index] = 0 }
        for place in 0..<newSize {
          let middle = (Double(place) + 0.5) * Double(size) / Double(newSize) - 0.5
          let position = min(max(middle, 0), Double(size - 1))
          let lower = Int(position)
          let upper = min(lower + 1, size - 1)
          let fraction = Float(position - Double(lower))
          elements[place * size + lower] += 1 - fraction
          elements[place * size + upper] += fraction
        }
      }
    }
    let channels = shape[2]
    let rows = weights(shape[0], height).matmul(reshaped(to: [shape[0], -1]))
      .reshaped(to: [height, shape[1], channels])
    let columns = weights(shape[1], width)
      .matmul(rows.transposed([1, 0, 2]).reshaped(to: [shape[1], -1]))
      .reshaped(to: [width, height, channels])
    return columns.transposed([1, 0, 2])
  }
}
