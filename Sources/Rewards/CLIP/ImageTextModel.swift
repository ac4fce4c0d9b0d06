import Files
import Media
import Tensors
import TextToImage

/// A CLIP model with what it needs to see images and read texts: a folder of transformers'
/// layout, `config.json model.safetensors preprocessor_config.json vocab.json merges.txt`.
public struct ImageTextModel: Sendable {
  /// The two towers.
  public let model: CLIPModel
  /// Reads texts.
  public let tokenizer: CLIPTokenizer
  /// Prepares images.
  public let processor: CLIPImageProcessor

  /// Joins the parts.
  public init(model: CLIPModel, tokenizer: CLIPTokenizer, processor: CLIPImageProcessor) {
    self.model = model
    self.tokenizer = tokenizer
    self.processor = processor
  }

  /// Reads a folder.
  ///
  /// - Throws: `FileError` naming the file and key if a part is missing, damaged or not supported.
  public init(folder: String) throws {
    try RequiredFolder.check(
      folder, what: "the folder of a CLIP model", marker: "config.json",
      advice: "name a folder in the layout of transformers, with a config.json beside the weights")
    let configuration = try CLIPConfiguration(path: "\(folder)/config.json")
    tokenizer = try CLIPTokenizer(folder: folder)
    let processorPath = "\(folder)/preprocessor_config.json"
    processor = try CLIPImageProcessor(path: processorPath)
    let size = configuration.vision.imageSize
    guard let output = processor.outputSize else {
      throw FileError(
        .unsupported, path: processorPath, item: "do_center_crop",
        problem: "is false, so that images keep their proportions",
        advice: "the model sees \(size)x\(size) pixels: set it, or the width and height of 'size'")
    }
    guard output == (size, size) else {
      throw FileError(
        .malformed, path: processorPath, item: processor.crop == nil ? "size" : "crop_size",
        problem: "is not the \(size)x\(size) of config.json", advice: "do they belong together?")
    }
    guard tokenizer.maxToken < configuration.text.vocabularySize else {
      throw FileError(
        .malformed, path: "\(folder)/config.json", item: "vocab_size",
        problem: "is \(configuration.text.vocabularySize), less than the vocabulary has tokens",
        advice: "does the tokenizer belong to this model?")
    }
    var unset = UnsetWeights()
    model = CLIPModel(configuration, random: &unset)
    try ComponentWeights(folder: folder, name: "model").load(into: model)
  }

  /// Writes a folder that transformers reads; it appears under its name only when it is complete.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(folder: String, elementType: ElementType = .float32) throws {
    try AtomicFolder.write(to: folder) { folder in
      try model.configuration.json.write(to: "\(folder)/config.json")
      try processor.json.write(to: "\(folder)/preprocessor_config.json")
      try tokenizer.write(folder: folder)
      try ComponentWeights(folder: folder, name: "model").write(
        model, as: elementType, maxShardByteCount: 10_000_000_000)
    }
  }

  /// Images in the common space as rows of unit length, `[B, P]`.
  public func features(of images: [Image]) -> Tensor {
    precondition(!images.isEmpty, "features of no images")
    return shardedMap(count: images.count, shardSize: Self.shardSize(images.count)) { rows in
      model.imageFeatures(processor(images[rows])).normalizedRows()
    }
  }

  /// Images or clips in the common space as rows of unit length, `[B, P]`; the direction of a clip
  /// is the mean of its frames'.
  public func features(of media: [Media]) -> Tensor {
    let frames = features(of: media.flatMap(\.frames))
    if frames.shape[0] == media.count { return frames }
    var start = 0
    return .stacked(
      media.map { media in
        let end = start + media.frames.count
        defer { start = end }
        return frames.slice(start..<end).mean(along: 0)
      }
    ).normalizedRows()
  }

  /// Texts in the common space as rows of unit length, `[B, P]`.
  public func features(of texts: [String]) -> Tensor {
    precondition(!texts.isEmpty, "features of no texts")
    let tokens = texts.map(tokens)
    return shardedMap(count: texts.count, shardSize: Self.shardSize(texts.count)) { rows in
      model.textFeatures(padded(tokens[rows])).normalizedRows()
    }
  }

  /// The tokens of a text, at most as many as the text tower takes.
  func tokens(_ text: String) -> [Int] {
    let tokens = tokenizer.tokens(text)
    let limit = model.configuration.text.maximumLength
    return tokens.count > limit ? tokens.prefix(limit - 1) + [tokenizer.endToken] : tokens
  }

  /// Texts filled up to the length of the longest; what follows an end token changes nothing.
  func padded(_ texts: ArraySlice<[Int]>) -> [[Int]] {
    let length = texts.map(\.count).max() ?? 0
    return texts.map { text in
      text + [Int](repeating: tokenizer.endToken, count: length - text.count)
    }
  }

  /// A few rows for each meeting of the workers, so that activations stay in a core's cache.
  private static func shardSize(_ count: Int) -> Int {
    let workers = WorkerPool.shared.threadCount
    return max(1, min(16, (count + workers - 1) / workers))
  }
}
