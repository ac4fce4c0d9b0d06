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
  /// Makes an encoder, whose first weights a stream draws.
  public typealias Make =
    @Sendable (ObservationLayout, inout RandomStream) throws -> any ObservationEncoder

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

  /// Makes the encoder that a configuration names.
  ///
  /// - Throws: `ConfigurationError` if there is none of that name, and what making it throws.
  func make(
    _ name: String, _ layout: ObservationLayout, random: inout RandomStream
  ) throws -> any ObservationEncoder {
    guard let maker = makers.first(where: { $0.name == name }) else {
      throw ConfigurationError.badValue(
        key: "encoder", found: name, expected: names.joined(separator: " or "))
    }
    return try maker.make(layout, &random)
  }

  /// The encoders that come with Attune.
  public static let standard: ObservationEncoderRegistry = {
    var registry = ObservationEncoderRegistry()
    registry.register("flatten") { layout, _ in
      guard layout.cameras.isEmpty else {
        throw ConfigurationError.badValue(
          key: "encoder", found: "flatten",
          expected: "an encoder that reads images, as there are cameras: "
            + layout.cameras.map(\.name).joined(separator: ", "))
      }
      return FlatteningEncoder(layout)
    }
    return registry
  }()
}
