import Configuration
import Environments
import NeuralNetworks
import Tensors

/// What observations consist of: what an encoder of them is made for.
public struct ObservationLayout: Codable, Hashable, Sendable {
  /// `To`: the latest observations that a decision sees.
  public var stepCount: Int
  /// `Do`: the numbers of a state.
  public var stateSize: Int
  /// The cameras whose images are seen.
  public var cameras: [Camera]

  /// Observations of states, with images if there are cameras.
  public init(stepCount: Int, stateSize: Int, cameras: [Camera] = []) {
    self.stepCount = stepCount
    self.stateSize = stateSize
    self.cameras = cameras
  }
}

/// A network that reads observations: everything behind it sees its encoding `[B, Dc]`.
///
/// It reads them once a decision, not once a denoising step. Rows are independent of one another.
public protocol ObservationEncoder: Module {
  /// `Dc`
  var encodingSize: Int { get }

  /// The encoding of each row, `[B, Dc]`.
  func callAsFunction(_ observations: Observations) -> Tensor
}

extension ObservationEncoder {
  /// Whether it encodes as another one of the same kind does.
  func hasWeights(of other: any ObservationEncoder) -> Bool {
    let own = parameters.values
    return other.parameters.values.allSatisfy { name, value in
      own[name].map { $0.elements == value.elements } ?? false
    }
  }

  /// The encoding of each row, `[B, Dc]`: what was made of it before, if it was.
  public func encoding(of observations: Observations) -> Tensor {
    observations.encoding ?? self(observations)
  }
}

extension ObservationEncoder {
  /// The same observations with their encoding, differentiable; where rows are of the same decision
  /// it is read once.
  ///
  /// - Parameters:
  ///   - observations: `M` rows.
  ///   - decisions: which one each row is of; rows of one have the same observation.
  func encodingEachOnce(_ observations: Observations, decisions: [Int]) -> Observations {
    guard observations.encoding == nil, !observations.images.isEmpty else { return observations }
    var places: [Int: Int] = [:]
    var firstRows: [Int] = []
    let indices = decisions.enumerated().map { row, decision in
      if let place = places[decision] { return place }
      places[decision] = firstRows.count
      firstRows.append(row)
      return firstRows.count - 1
    }
    var result = observations
    result.encoding =
      firstRows.count == decisions.count
      ? self(observations) : self(observations.gather(firstRows)).gather(indices)
    return result
  }
}

extension Observations {
  /// The same with what an encoder makes of them, on all workers; not recorded.
  ///
  /// - Parameters:
  ///   - encoder: one that does not change any more.
  ///   - keepsImages: whether somebody else reads the images too.
  func encoded(by encoder: any ObservationEncoder, keepsImages: Bool) -> Observations {
    var result = self
    if encoding == nil {
      result.encoding = withoutRecording { shardedMap(count: count) { encoder(slice($0)) } }
    }
    if !keepsImages { result.images = [:] }
    return result
  }
}

/// The latest states one after another, without parameters: `[B, To Do]`. It sees no images.
public final class FlatteningEncoder: ObservationEncoder {
  /// `To Do`
  public let encodingSize: Int

  /// An encoder of states.
  public init(_ layout: ObservationLayout) { encodingSize = layout.stepCount * layout.stateSize }

  /// `[B, To, Do]` to `[B, To Do]`.
  public func callAsFunction(_ observations: Observations) -> Tensor {
    observations.state.flattened(from: 1)
  }

  /// Nothing.
  public func collect(into parameters: inout NamedParameters) {}
}

/// Observation encoders by name.
public struct ObservationEncoderRegistry: Sendable {
  /// Makes an encoder of the settings of all kinds, whose first weights a stream draws.
  public typealias Make =
    @Sendable (EncoderConfiguration, ObservationLayout, inout RandomStream) throws
    -> any ObservationEncoder

  private var makers: [(name: String, make: Make)] = []

  /// An empty registry.
  public init() {}

  /// The names in the order in which they were registered.
  public var names: [String] { makers.map(\.name) }

  /// Adds an encoder, in place of one of the same name.
  public mutating func register(_ name: String, make: @escaping Make) {
    makers.removeAll { $0.name == name }
    makers.append((name, make))
  }

  /// Makes the encoder that a configuration describes; it is given images of any size above
  /// `cropSize`.
  ///
  /// - Throws: `ConfigurationError` if there is none of that kind, or images are too small, and what
  ///   making it throws.
  func make(
    _ configuration: EncoderConfiguration, _ layout: ObservationLayout,
    random: inout RandomStream
  ) throws -> any ObservationEncoder {
    guard let maker = makers.first(where: { $0.name == configuration.kind }) else {
      throw ConfigurationError.badValue(
        key: "encoder.kind", found: configuration.kind, expected: names.joined(separator: " or "))
    }
    return try ConfigurationError.within("encoder") {
      let seen = try configuration.augmentation.layout(of: layout)
      let encoder = try maker.make(configuration, seen, &random)
      return seen == layout ? encoder : CroppingEncoder(encoder, cameras: seen.cameras)
    }
  }

  /// The encoders that come with Attune.
  public static let standard: ObservationEncoderRegistry = {
    var registry = ObservationEncoderRegistry()
    registry.register("flatten") { _, layout, _ in
      guard layout.cameras.isEmpty else {
        throw ConfigurationError.badValue(
          key: "kind", found: "flatten",
          expected: "an encoder that reads images, as there are cameras: "
            + layout.cameras.map(\.name).joined(separator: ", "))
      }
      return FlatteningEncoder(layout)
    }
    registry.register("vit") { try ViTEncoder($0.vit, $1, random: &$2) }
    registry.register("resnet18") { try ResNetEncoder($0.resnet18, $1, random: &$2) }
    return registry
  }()
}

/// An encoder that sees the middle of images that are larger than its own.
final class CroppingEncoder: ObservationEncoder {
  private let encoder: any ObservationEncoder
  private let cameras: [Camera]

  /// - Parameters:
  ///   - encoder: sees the middle.
  ///   - cameras: as it expects them.
  init(_ encoder: any ObservationEncoder, cameras: [Camera]) {
    self.encoder = encoder
    self.cameras = cameras
  }

  /// That of the encoder.
  var encodingSize: Int { encoder.encodingSize }

  /// What the encoder makes of the middle; images of its own size are seen as they are.
  func callAsFunction(_ observations: Observations) -> Tensor {
    encoder(observations.centered(on: cameras))
  }

  /// The encoder's.
  func collect(into parameters: inout NamedParameters) { encoder.collect(into: &parameters) }
}
