import CaptionedMedia
import Files
import Foundation
import Media
import NeuralNetworks
import Tensors
import TextToImage

/// A small convolutional network that says what fills each slot of an image, or of a clip, whose
/// frames it sees side by side as channels.
///
/// One that scores an outcome is never the one that was optimized (`AttributeReward`): each is
/// trained from a seed of its own.
public final class AttributeClassifier: Module {
  /// The sizes.
  public struct Configuration: Sendable, Equatable {
    /// Pixels in a row, and rows, of an image; a multiple of 4.
    public var imageSize: Int
    /// Frames of a clip; nil for a classifier of images.
    public var frameCount: Int?
    /// Channels at full, half and quarter resolution, multiples of 8.
    public var channels: [Int]
    /// The width before the classes.
    public var hiddenSize: Int
  }

  /// The sizes.
  public let configuration: Configuration
  /// What is told apart.
  public let classes: AttributeClasses
  private let convolutions: [Conv2d]
  private let norms: [GroupNorm]
  private let reduction: Conv2d
  private let hidden: Linear
  private let output: Linear
  /// Channels that the hidden layer sees at each place.
  private static let reducedChannels = 32

  /// A network with random weights.
  public init(
    _ configuration: Configuration, classes: AttributeClasses, random: inout some RandomSource
  ) {
    let channels = configuration.channels
    precondition(
      channels.count == 3 && channels.allSatisfy { $0 > 0 && $0 % 8 == 0 }
        && configuration.imageSize > 0 && configuration.imageSize % 4 == 0,
      "channels \(channels) for images of \(configuration.imageSize) pixels")
    self.configuration = configuration
    self.classes = classes
    let plan = [
      (3 * (configuration.frameCount ?? 1), channels[0], 1), (channels[0], channels[1], 2),
      (channels[1], channels[1], 1),
      (channels[1], channels[2], 2), (channels[2], channels[2], 1),
    ]
    var convolutions: [Conv2d] = []
    for (input, output, stride) in plan {
      convolutions.append(
        Conv2d(
          inputChannels: input, outputChannels: output, kernelSize: 3, stride: stride, padding: 1,
          random: &random))
    }
    self.convolutions = convolutions
    norms = plan.map { GroupNorm(groupCount: 8, channelCount: $0.1) }
    reduction = Conv2d(
      inputChannels: channels[2], outputChannels: Self.reducedChannels, kernelSize: 1,
      random: &random)
    let places = configuration.imageSize * configuration.imageSize / 16
    hidden = Linear(
      inputSize: places * Self.reducedChannels, outputSize: configuration.hiddenSize,
      random: &random)
    output = Linear(
      inputSize: configuration.hiddenSize, outputSize: classes.count, random: &random)
  }

  /// Images `[B, H, W, 3]`, or clips `[B, F, H, W, 3]`, in -1...1 to the logits of all slots'
  /// classes, `[B, classes]`.
  public func callAsFunction(_ images: Tensor) -> Tensor {
    let size = configuration.imageSize
    let shape = (configuration.frameCount.map { [$0] } ?? []) + [size, size, 3]
    precondition(
      Array(images.shape.dropFirst()) == shape,
      "images of shape \(images.shape) for a classifier that takes [B] + \(shape)")
    var x = images
    if let count = configuration.frameCount {
      x = images.transposed([0, 2, 3, 1, 4]).reshaped(to: [-1, size, size, 3 * count])
    }
    for (convolution, norm) in zip(convolutions, norms) {
      x = norm(convolution(x), appliesSiLU: true)
    }
    return output(hidden(reduction(x).silu().flattened(from: 1), activation: .silu))
  }

  /// `convolutions.<i>`, `norms.<i>`, `reduction`, `hidden`, `output`.
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("convolutions", convolutions)
    parameters.add("norms", norms)
    parameters.add("reduction", reduction)
    parameters.add("hidden", hidden)
    parameters.add("output", output)
  }
}

extension AttributeClassifier {
  /// The logits for many images or clips in -1...1, on all processors.
  private func logits(_ images: Tensor) -> Tensor {
    shardedMap(count: images.shape[0], shardSize: 16) { self(images.slice($0)) }
  }

  /// The most likely class of each slot for images `[B, H, W, 3]`, or clips, in -1...1.
  func labels(_ images: Tensor) -> [[Int]] {
    let logits = logits(images)
    let columns = classes.ranges.map { logits.slice($0, along: 1).argumentsOfMaximum() }
    return (0..<images.shape[0]).map { row in columns.map { $0[row] } }
  }

  /// How likely each phrase is in its slot, for a batch as `callAsFunction` takes it.
  func probabilities(in batch: Tensor) -> [AttributeProbabilities] {
    let logits = logits(batch)
    let columns = classes.ranges.map { logits.slice($0, along: 1).softmax().elements }
    return (0..<batch.shape[0]).map { row in
      var values: [AttributeSlot: [String: Float]] = [:]
      for ((slot, phrases), column) in zip(classes.slots, columns) {
        // Class 0 is an empty slot.
        let first = row * (phrases.count + 1) + 1
        values[slot] = Dictionary(
          uniqueKeysWithValues: zip(phrases, column[first..<first + phrases.count]))
      }
      return AttributeProbabilities(values)
    }
  }

  /// What it sees in images `[B, H, W, 3]`, or in clips `[B, F, H, W, 3]`, in -1...1.
  public func seen(in images: Tensor) -> [SeenAttributes] {
    labels(images).map { labels in
      var phrases: [AttributeSlot: String] = [:]
      for (label, (slot, names)) in zip(labels, classes.slots) where label > 0 {
        phrases[slot] = names[label - 1]
      }
      return SeenAttributes(phrases: phrases)
    }
  }

  /// What it sees in images, which are resized to its size.
  public func seen(in images: [Image]) -> [SeenAttributes] {
    images.isEmpty ? [] : seen(in: batch(images))
  }

  /// What it sees in each image, in each frame of a clip, or, if it is one of clips, in the clip;
  /// nothing in an image then.
  public func seen(in media: [Media]) -> [[SeenAttributes]] {
    let views = media.map(views)
    let known = views.compactMap { $0 }
    if known.isEmpty { return media.map { _ in [] } }
    var rest = seen(in: Tensor.concatenated(known, along: 0))[...]
    return views.map { views in
      let own = rest.prefix(views?.shape[0] ?? 0)
      rest = rest.dropFirst(own.count)
      return Array(own)
    }
  }

  /// What it sees in an image or a clip as a whole: in each slot the class that is most likely over
  /// all frames, by the mean of the logarithms of its probabilities; nothing in an image if it is one
  /// of clips.
  public func seenOverall(in media: [Media]) -> [SeenAttributes] {
    let views = media.map(views)
    let known = views.compactMap { $0 }
    if known.isEmpty { return media.map { _ in SeenAttributes(phrases: [:]) } }
    let logits = logits(.concatenated(known, along: 0))
    let columns = classes.ranges.map { logits.slice($0, along: 1).logSoftmax() }
    var start = 0
    return views.map { views in
      let rows = start..<start + (views?.shape[0] ?? 0)
      start = rows.upperBound
      var phrases: [AttributeSlot: String] = [:]
      if !rows.isEmpty {
        for (column, (slot, names)) in zip(columns, classes.slots) {
          let mean = column.slice(rows).sum(along: 0).reshaped(to: [1, -1])
          let label = mean.argumentsOfMaximum()[0]
          if label > 0 { phrases[slot] = names[label - 1] }
        }
      }
      return SeenAttributes(phrases: phrases)
    }
  }

  /// What it looks at of an image or a clip: the image, or each frame; or, if it is one of clips,
  /// as many frames as it takes, spread over the clip. Nil for an image where a clip is needed.
  func views(of media: Media) -> Tensor? {
    let images = media.frames
    guard let count = configuration.frameCount else { return batch(images) }
    guard media.frameRate != nil else { return nil }
    let frames = VideoReader.indices(count: count, of: images.count).map { images[$0] }
    return .stacked([batch(frames)])
  }

  /// Images as `[B, H, W, 3]` in -1...1, resized to its size.
  private func batch(_ images: [Image]) -> Tensor {
    let size = configuration.imageSize
    return Tensor.stacked(
      images.map { image in
        let rgb = image.rgb()
        let isRight = (rgb.width, rgb.height) == (size, size)
        return (isRight ? rgb : rgb.resized(width: size, height: size, method: .bicubic))
          .tensor(range: .minusOneToOne)
      })
  }

  /// Reads a folder `config.json model.safetensors`.
  ///
  /// - Throws: `FileError` if a part is missing, damaged or not a classifier's.
  public convenience init(folder: String) throws {
    try RequiredFolder.check(
      folder, what: "the folder of a classifier", marker: "config.json",
      advice: "name the folder model/ that attune reward train --kind classifier wrote")
    let path = "\(folder)/config.json"
    var reader = try ConfigurationReader(JSONValue(path: path), path: path)
    let kind = try reader.string("model_type") ?? "nothing"
    guard kind == "attune_attribute_classifier" else {
      throw reader.error(
        "model_type", "is '\(kind)'",
        advice: "name the folder of a classifier that Attune trained")
    }
    guard let slots = reader.value("slots") else { throw reader.error("slots", "is missing") }
    let classes = try AttributeClasses(json: slots, path: path)
    let size = try reader.integer("image_size", in: 4...8_192) ?? 32
    let channels = try reader.integers("channels", in: 8...65_536) ?? []
    let hiddenSize = try reader.integer("hidden_size") ?? 256
    let frameCount = try reader.integer("frame_count", in: 1...1_024)
    guard size % 4 == 0, channels.count == 3, channels.allSatisfy({ $0 % 8 == 0 }) else {
      throw reader.error(
        "channels", "is \(channels) for images of \(size) pixels",
        advice: "expected three multiples of 8, and an image_size that 4 divides")
    }
    var unset = UnsetWeights()
    self.init(
      Configuration(
        imageSize: size, frameCount: frameCount, channels: channels, hiddenSize: hiddenSize),
      classes: classes, random: &unset)
    try ComponentWeights(folder: folder, name: "model").load(into: self)
  }

  /// Writes a folder, which appears under its name only when it is complete.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(folder: String, elementType: ElementType = .float32) throws {
    let configuration = configuration
    try AtomicFolder.write(to: folder) { folder in
      var members: [String: JSONValue] = [
        "model_type": "attune_attribute_classifier", "slots": classes.json,
        "image_size": .number(Double(configuration.imageSize)),
        "channels": .array(configuration.channels.map { .number(Double($0)) }),
        "hidden_size": .number(Double(configuration.hiddenSize)),
      ]
      if let count = configuration.frameCount { members["frame_count"] = .number(Double(count)) }
      try JSONValue.object(members).write(to: "\(folder)/config.json")
      try ComponentWeights(folder: folder, name: "model").write(
        self, as: elementType, maxShardByteCount: 10_000_000_000)
    }
  }
}

/// How often images show what their prompts ask for, as a classifier and the layers themselves
/// see it.
public struct PromptAccuracy: Sendable {
  /// Whether each attribute asked for is there, 1 or 0, by slot; an attribute whose slot is open
  /// counts for the first it may be in.
  public private(set) var bySlot: [AttributeSlot: [Double]] = [:]
  /// The fraction of what its prompt asks for that each image has; images of prompts that ask for
  /// nothing are left out.
  public private(set) var fractions: [Double] = []
  /// Whether each image shows the items of the top layers that its prompt asks for, by comparison
  /// with the layers; images of prompts that ask for none are left out.
  public private(set) var layers: [Double] = []
  private let classifier: AttributeClassifier
  private let parser: PromptParser
  private let comparison: LayerComparison?

  /// Counts nothing yet; without a composer, layers are not compared.
  public init(classifier: AttributeClassifier, composer: DollComposer? = nil) {
    self.classifier = classifier
    parser = PromptParser(phrases: classifier.classes.slots)
    comparison = composer.map { LayerComparison($0) }
  }

  /// Whether each image has everything that its prompt asks for, 1 or 0, of those in `fractions`.
  public var completeImages: [Double] { fractions.map { $0 == 1 ? 1 : 0 } }

  /// Looks at images of prompts, one each.
  public mutating func add(_ images: [Image], prompts: [String]) {
    precondition(
      images.count == prompts.count, "\(images.count) images for \(prompts.count) prompts")
    for (index, seen) in classifier.seen(in: images).enumerated() {
      let wanted = parser.attributes(in: prompts[index])
      for attribute in wanted.attributes {
        bySlot[attribute.slots[0], default: []].append(seen.shows(attribute) ? 1 : 0)
      }
      if let fraction = seen.fraction(of: wanted) { fractions.append(fraction) }
      let image = images[index].rgb().tensor(range: .minusOneToOne)
      if let isRight = comparison?.showsAll(of: wanted, in: image) {
        layers.append(isRight ? 1 : 0)
      }
    }
  }
}
