import Configuration
import NeuralNetworks
import Tensors

/// The choices that make a `ResNetEncoder`; the names in parentheses are LeRobot's.
public struct ResNetConfiguration: Settings {
  /// The channels of the first stage, which each of the three others doubles; 64 is ResNet18.
  /// Normalization has a group for every 16 channels.
  @Setting(.multipleOf16) public var width = 64
  /// Points in the image whose coordinates are the features (`spatial_softmax_num_keypoints`).
  @Setting(1...4096) public var keypointCount = 32
  /// Whether ReLU follows the last layer, as in LeRobot; not in Diffusion Policy.
  public var endsInReLU = true
  /// Whether all cameras are seen by one network (not `use_separate_rgb_encoder_per_camera`).
  public var sharesWeights = false
  /// What is subtracted from each channel of pixels from 0 to 1.
  @Setting(.channels) public var mean = [0.5, 0.5, 0.5]
  /// What each channel is divided by then: with 0.5, pixels lie in -1 ... 1.
  @Setting(.positiveChannels) public var std = [0.5, 0.5, 0.5]

  /// Diffusion Policy's encoder.
  public init() {}

  /// Channels have both.
  public func checkRelations() throws {
    try ConfigurationError.require(
      std.count == mean.count, "std", std, "\(mean.count) numbers, as mean has")
  }
}

extension SettingRange<Int> {
  fileprivate static var multipleOf16: SettingRange {
    .init("a multiple of 16 up to 1024") { (16...1024).contains($0) && $0 % 16 == 0 }
  }
}

extension SettingRange<[Double]> {
  fileprivate static var channels: SettingRange {
    .init("1 to 4 numbers") { (1...4).contains($0.count) && $0.allSatisfy(\.isFinite) }
  }
  fileprivate static var positiveChannels: SettingRange {
    .init("1 to 4 numbers above 0") {
      (1...4).contains($0.count) && $0.allSatisfy { $0 > 0 && $0.isFinite }
    }
  }
}

/// ResNet18 (He et al., arXiv:1512.03385) without its last pooling and classifier, with GroupNorm in
/// place of BatchNorm: running statistics and a moving average of weights do not go together
/// (Diffusion Policy, arXiv:2303.04137). Weights are numbered as torchvision's children.
final class ResNet18: Module {
  /// `[h, w, 8 width]` of an image's features.
  let featureShape: [Int]
  private let stem: Conv2d
  private let stemNorm: GroupNorm
  private let stages: [[ResidualBlock2D]]

  /// - Parameters:
  ///   - width: the channels of the first stage.
  ///   - imageShape: `[H, W, C]`
  ///   - random: draws the first weights.
  init(width: Int, imageShape: [Int], random: inout some RandomSource) {
    stem = Conv2d(
      inputChannels: imageShape[2], outputChannels: width, kernelSize: 7, stride: 2, padding: 3,
      hasBias: false, random: &random)
    stemNorm = .perSixteen(width)
    var stages: [[ResidualBlock2D]] = []
    var channels = width
    for stage in 0..<4 {
      let outputs = width << stage
      stages.append([
        ResidualBlock2D(
          inputChannels: channels, outputChannels: outputs, stride: stage == 0 ? 1 : 2,
          random: &random),
        ResidualBlock2D(
          inputChannels: outputs, outputChannels: outputs, stride: 1, random: &random),
      ])
      channels = outputs
    }
    self.stages = stages
    // Stem, pooling and three stages halve, rounding up.
    let sides = imageShape.prefix(2).map { size in
      (0..<5).reduce(size) { size, _ in (size + 1) / 2 }
    }
    featureShape = sides + [channels]
  }

  /// Images `[B, H, W, C]` to features `[B, h, w, 8 width]`.
  func callAsFunction(_ images: Tensor) -> Tensor {
    let entered = stemNorm(stem(images)).relu()
      .maxPooled2D(kernelSize: 3, stride: 2, padding: 1)
    return stages.joined().reduce(entered) { $1($0) }
  }

  /// `0`, `1`, and `4` to `7` for the stages: the list also numbers activation and pooling.
  func collect(into parameters: inout NamedParameters) {
    parameters.add("0", stem)
    parameters.add("1", stemNorm)
    for (index, stage) in stages.enumerated() { parameters.add("\(index + 4)", stage) }
  }
}

/// Two convolutions with norms, and what came in added before the last activation.
private final class ResidualBlock2D: Module {
  private let convolutions: [Conv2d]
  private let norms: [GroupNorm]
  private let downsampling: Conv2d?
  private let downsamplingNorm: GroupNorm?

  init(inputChannels: Int, outputChannels: Int, stride: Int, random: inout some RandomSource) {
    convolutions = [
      Conv2d(
        inputChannels: inputChannels, outputChannels: outputChannels, kernelSize: 3,
        stride: stride, padding: 1, hasBias: false, random: &random),
      Conv2d(
        inputChannels: outputChannels, outputChannels: outputChannels, kernelSize: 3, padding: 1,
        hasBias: false, random: &random),
    ]
    norms = [.perSixteen(outputChannels), .perSixteen(outputChannels)]
    let isSame = stride == 1 && inputChannels == outputChannels
    downsampling =
      isSame
      ? nil
      : Conv2d(
        inputChannels: inputChannels, outputChannels: outputChannels, kernelSize: 1,
        stride: stride, hasBias: false, random: &random)
    downsamplingNorm = isSame ? nil : .perSixteen(outputChannels)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let hidden = norms[0](convolutions[0](x)).relu()
    var skipped = x
    if let downsampling, let downsamplingNorm { skipped = downsamplingNorm(downsampling(x)) }
    return (norms[1](convolutions[1](hidden)) + skipped).relu()
  }

  func collect(into parameters: inout NamedParameters) {
    for index in 0..<2 {
      parameters.add("conv\(index + 1)", convolutions[index])
      parameters.add("bn\(index + 1)", norms[index])
    }
    parameters.add("downsample.0", downsampling)
    parameters.add("downsample.1", downsamplingNorm)
  }
}

extension GroupNorm {
  /// A group for every 16 channels, as Diffusion Policy replaces BatchNorm.
  fileprivate static func perSixteen(_ channelCount: Int) -> GroupNorm {
    GroupNorm(groupCount: channelCount / 16, channelCount: channelCount)
  }
}
