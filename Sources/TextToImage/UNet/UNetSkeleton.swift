import Files
import NeuralNetworks
import Tensors

/// What the configuration files of all of diffusers' U-Nets say alike: the sample, the blocks and
/// their norms.
package protocol UNetSkeleton {
  associatedtype DownBlock: RawRepresentable<String> & CaseIterable
  associatedtype UpBlock: RawRepresentable<String> & CaseIterable

  /// The class of diffusers that the file names.
  static var className: String { get }

  var sampleSize: [Int]? { get set }
  var inputChannels: Int { get set }
  var outputChannels: Int { get set }
  var downBlocks: [DownBlock] { get set }
  var upBlocks: [UpBlock] { get set }
  var blockChannels: [Int] { get set }
  var downsamplePadding: Int { get set }
  var midBlockScale: Float { get set }
  var activation: Activation { get set }
  var normGroupCount: Int { get set }
  var normEpsilon: Float { get set }
}

extension UNetSkeleton {
  /// Reads what all have; what is missing stays as it is.
  ///
  /// - Throws: `FileError` naming the key if one asks for something that Attune does not have.
  package mutating func readSkeleton(_ reader: inout ConfigurationReader) throws {
    if let name = try reader.string("_class_name"), name != Self.className {
      throw reader.error("_class_name", "is '\(name)'", advice: "Attune reads \(Self.className)")
    }
    sampleSize = try reader.integers("sample_size", count: 2)
    inputChannels = try reader.integer("in_channels") ?? inputChannels
    outputChannels = try reader.integer("out_channels") ?? outputChannels
    downBlocks = try reader.choices("down_block_types") ?? downBlocks
    upBlocks = try reader.choices("up_block_types") ?? upBlocks
    blockChannels = try reader.integers("block_out_channels") ?? blockChannels
    let count = blockChannels.count
    guard count > 0, downBlocks.count == count, upBlocks.count == count else {
      throw reader.error(
        "block_out_channels",
        """
        has \(count) blocks, down_block_types \(downBlocks.count), up_block_types \
        \(upBlocks.count)
        """
      )
    }
    downsamplePadding = try reader.integer("downsample_padding", in: 0...1) ?? downsamplePadding
    midBlockScale = try reader.number("mid_block_scale_factor").map { Float($0) } ?? midBlockScale
    activation = try reader.choice("act_fn", ActivationName.self)?.activation ?? activation
    normGroupCount = try reader.integer("norm_num_groups") ?? normGroupCount
    if reader.hasNull("norm_num_groups") {
      throw reader.error("norm_num_groups", "is null, but Attune's blocks are normalized")
    }
    normEpsilon = try reader.number("norm_eps").map { Float($0) } ?? normEpsilon
  }

  /// Checks what norms and the time embedding need of the blocks, so that no configuration traps.
  ///
  /// - Parameter block: checks one of them further; told its number and channels.
  package func checkSkeleton(
    path: String, block: (_ index: Int, _ channels: Int) throws -> Void
  ) throws {
    for (index, channels) in blockChannels.enumerated() {
      guard channels % normGroupCount == 0 else {
        throw FileError(
          .malformed, path: path, item: "norm_num_groups",
          problem:
            "is \(normGroupCount), which does not divide the \(channels) channels of block \(index)"
        )
      }
      try block(index, channels)
    }
    guard blockChannels[0] % 2 == 0 else {
      throw FileError(
        .malformed, path: path, item: "block_out_channels",
        problem: "begins with \(blockChannels[0]), which has no time embedding")
    }
  }

  /// What the file says of all that, for diffusers to read.
  package var skeletonMembers: [String: JSONValue] {
    [
      "_class_name": .string(Self.className), "_diffusers_version": "0.30.0",
      "sample_size": sampleSize.map(JSONValue.shared) ?? .null,
      "in_channels": .number(Double(inputChannels)),
      "out_channels": .number(Double(outputChannels)),
      "down_block_types": .array(downBlocks.map { .string($0.rawValue) }),
      "up_block_types": .array(upBlocks.map { .string($0.rawValue) }),
      "block_out_channels": .array(blockChannels.map { .number(Double($0)) }),
      "downsample_padding": .number(Double(downsamplePadding)),
      "mid_block_scale_factor": .number(midBlockScale.shortest),
      "act_fn": ActivationName(activation).map { .string($0.rawValue) } ?? .null,
      "norm_num_groups": .number(Double(normGroupCount)),
      "norm_eps": .number(normEpsilon.shortest),
    ]
  }
}

extension JSONValue {
  /// One number where all are equal, as older versions of diffusers want it.
  package static func shared(_ values: [Int]) -> JSONValue {
    Set(values).count == 1
      ? .number(Double(values[0])) : .array(values.map { .number(Double($0)) })
  }
}
