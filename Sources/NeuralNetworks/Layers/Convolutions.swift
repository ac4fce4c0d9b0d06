import Tensors

/// A convolution's weight and bias, drawn as PyTorch draws them.
private func convolutionParameters(
  weightShape: [Int], outputChannels: Int, hasBias: Bool, random: inout some RandomSource
) -> (weight: Parameter, bias: Parameter?) {
  // PyTorch counts the fan of the second dimension; in a transposed convolution those are the
  // outputs.
  let fanIn = weightShape.dropFirst().reduce(1, *)
  let weight = Initializers.fanInUniform(weightShape, fanIn: fanIn, random: &random)
  let bias =
    hasBias
    ? Initializers.fanInUniform([outputChannels], fanIn: fanIn, random: &random) : nil
  return (Parameter(weight), bias.map(Parameter.init))
}

/// A one-dimensional convolution on `[B, L, C]`, with the weights of `torch.nn.Conv1d`.
public final class Conv1d: Module {
  /// `[outputChannels, inputChannels, kernelSize]`
  public let weight: Parameter
  /// `[outputChannels]`
  public let bias: Parameter?
  package let stride: Int
  package let padding: Int

  /// A layer with PyTorch's default initialization.
  public init(
    inputChannels: Int, outputChannels: Int, kernelSize: Int, stride: Int = 1,
    padding: Int = 0, hasBias: Bool = true, random: inout some RandomSource
  ) {
    (weight, bias) = convolutionParameters(
      weightShape: [outputChannels, inputChannels, kernelSize], outputChannels: outputChannels,
      hasBias: hasBias, random: &random)
    self.stride = stride
    self.padding = padding
  }

  /// `[B, L, inputChannels]` to `[B, L', outputChannels]`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.convolved1D(weight: weight.tensor, bias: bias?.tensor, stride: stride, padding: padding)
  }

  /// `weight` and `bias`.
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("weight", weight)
    parameters.add("bias", bias)
  }
}

/// A transposed one-dimensional convolution on `[B, L, C]`, with the weights of
/// `torch.nn.ConvTranspose1d`.
public final class ConvTranspose1d: Module {
  /// `[inputChannels, outputChannels, kernelSize]`
  public let weight: Parameter
  /// `[outputChannels]`
  public let bias: Parameter?
  package let stride: Int
  package let padding: Int

  /// A layer with PyTorch's default initialization.
  public init(
    inputChannels: Int, outputChannels: Int, kernelSize: Int, stride: Int = 1,
    padding: Int = 0, hasBias: Bool = true, random: inout some RandomSource
  ) {
    (weight, bias) = convolutionParameters(
      weightShape: [inputChannels, outputChannels, kernelSize], outputChannels: outputChannels,
      hasBias: hasBias, random: &random)
    self.stride = stride
    self.padding = padding
  }

  /// `[B, L, inputChannels]` to `[B, (L - 1) stride - 2 padding + kernelSize, outputChannels]`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.convolvedTransposed1D(
      weight: weight.tensor, bias: bias?.tensor, stride: stride, padding: padding)
  }

  /// `weight` and `bias`.
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("weight", weight)
    parameters.add("bias", bias)
  }
}

/// A two-dimensional convolution on `[B, H, W, C]`, with the weights of `torch.nn.Conv2d`.
public final class Conv2d: Module {
  /// `[outputChannels, inputChannels, kernelSize, kernelSize]`
  public let weight: Parameter
  /// `[outputChannels]`
  public let bias: Parameter?
  private let stride: Int
  private let padding: Int

  /// A layer with PyTorch's default initialization.
  public init(
    inputChannels: Int, outputChannels: Int, kernelSize: Int, stride: Int = 1,
    padding: Int = 0, hasBias: Bool = true, random: inout some RandomSource
  ) {
    (weight, bias) = convolutionParameters(
      weightShape: [outputChannels, inputChannels, kernelSize, kernelSize],
      outputChannels: outputChannels,
      hasBias: hasBias, random: &random)
    self.stride = stride
    self.padding = padding
  }

  /// `[B, H, W, inputChannels]` to `[B, H', W', outputChannels]`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.convolved2D(weight: weight.tensor, bias: bias?.tensor, stride: stride, padding: padding)
  }

  /// `weight` and `bias`.
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("weight", weight)
    parameters.add("bias", bias)
  }
}
