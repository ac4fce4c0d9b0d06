import CaptionedImages
import Files
import Foundation
import Media
import NeuralNetworks
import Tensors
import TextToImage

/// A small convolutional network that says what a doll has in each slot.
///
/// One that scores an outcome is never the one that was optimized (`AttributeReward`): each is
/// trained from a seed of its own.
public final class AttributeClassifier: Module {
  /// The sizes.
  public struct Configuration: Sendable, Equatable {
    /// Pixels in a row, and rows, of an image; a multiple of 4.
    public var imageSize: Int
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
      (3, channels[0], 1), (channels[0], channels[1], 2), (channels[1], channels[1], 1),
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

  /// Images `[B, H, W, 3]` in -1...1 to the logits of all slots' classes, `[B, classes]`.
  public func callAsFunction(_ images: Tensor) -> Tensor {
    let size = configuration.imageSize
    precondition(
      images.rank == 4 && Array(images.shape.dropFirst()) == [size, size, 3],
      "images of shape \(images.shape) for a classifier that takes [B, \(size), \(size), 3]")
    var x = images
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
  /// The logits for many images `[B, H, W, 3]` in -1...1, on all processors.
  private func logits(_ images: Tensor) -> Tensor {
    shardedMap(count: images.shape[0], shardSize: 16) { self(images.slice($0)) }
  }

  /// The most likely class of each slot for images `[B, H, W, 3]` in -1...1.
  func labels(_ images: Tensor) -> [[Int]] {
    let logits = logits(images)
    let columns = classes.ranges.map { logits.slice($0, along: 1).argumentsOfMaximum() }
    return (0..<images.shape[0]).map { row in columns.map { $0[row] } }
  }

  /// How likely each phrase is in its slot, for images of any size.
  func probabilities(in images: [Image]) -> [AttributeProbabilities] {
    if images.isEmpty { return [] }
    let logits = logits(batch(images))
    let columns = classes.ranges.map { logits.slice($0, along: 1).softmax().elements }
    return images.indices.map { row in
      var values: [DollSlot: [String: Float]] = [:]
      for ((slot, phrases), column) in zip(classes.slots, columns) {
        // Class 0 is an empty slot.
        let first = row * (phrases.count + 1) + 1
        values[slot] = Dictionary(
          uniqueKeysWithValues: zip(phrases, column[first..<first + phrases.count]))
      }
      return AttributeProbabilities(values)
    }
  }

  /// What it sees in images `[B, H, W, 3]` in -1...1.
  public func seen(in images: Tensor) -> [SeenAttributes] {
    labels(images).map { labels in
      var phrases: [DollSlot: String] = [:]
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
    guard size % 4 == 0, channels.count == 3, channels.allSatisfy({ $0 % 8 == 0 }) else {
      throw reader.error(
        "channels", "is \(channels) for images of \(size) pixels",
        advice: "expected three multiples of 8, and an image_size that 4 divides")
    }
    var unset = UnsetWeights()
    self.init(
      Configuration(imageSize: size, channels: channels, hiddenSize: hiddenSize),
      classes: classes, random: &unset)
    try ComponentWeights(folder: folder, name: "model").load(into: self)
  }

  /// Writes a folder, which appears under its name only when it is complete.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(folder: String, elementType: ElementType = .float32) throws {
    let configuration = configuration
    try AtomicFolder.write(to: folder) { folder in
      try JSONValue.object([
        "model_type": "attune_attribute_classifier", "slots": classes.json,
        "image_size": .number(Double(configuration.imageSize)),
        "channels": .array(configuration.channels.map { .number(Double($0)) }),
        "hidden_size": .number(Double(configuration.hiddenSize)),
      ]).write(to: "\(folder)/config.json")
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
  public private(set) var bySlot: [DollSlot: [Double]] = [:]
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
