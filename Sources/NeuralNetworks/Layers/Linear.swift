import Foundation
import Tensors

/// y = activation(x weight^T + bias + residual), without a residual as `torch.nn.Linear`.
public final class Linear: Module {
  /// `[outputSize, inputSize]`
  public let weight: Parameter
  /// `[outputSize]`
  public let bias: Parameter?

  /// A layer with PyTorch's default initialization.
  public init(
    inputSize: Int, outputSize: Int, hasBias: Bool = true, random: inout some RandomSource
  ) {
    weight = Parameter(
      Initializers.fanInUniform([outputSize, inputSize], fanIn: inputSize, random: &random))
    bias =
      hasBias
      ? Parameter(Initializers.fanInUniform([outputSize], fanIn: inputSize, random: &random))
      : nil
  }

  /// `[..., inputSize]` to `[..., outputSize]`, the shape of `residual`.
  public func callAsFunction(
    _ x: Tensor, adding residual: Tensor? = nil, activation: Activation = .identity
  ) -> Tensor {
    x.linear(
      weight: weight.tensor, bias: bias?.tensor, adding: residual, activation: activation)
  }

  /// `weight` and `bias`.
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("weight", weight)
    parameters.add("bias", bias)
  }
}

/// A table of vectors looked up by index, as `torch.nn.Embedding`.
public final class Embedding: Module {
  /// `[count, size]`
  public let weight: Parameter

  /// A table drawn from N(0, 1).
  public init(count: Int, size: Int, random: inout some RandomSource) {
    weight = Parameter(Initializers.normal([count, size], random: &random))
  }

  /// `[indices.count, size]`
  public func callAsFunction(_ indices: [Int]) -> Tensor { weight.tensor.gather(indices) }

  /// `weight`
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("weight", weight)
  }
}

/// Sines and cosines of a number at geometrically spaced frequencies (Vaswani et al.,
/// arXiv:1706.03762, section 3.5), in the two forms that diffusion models use.
public struct SinusoidalEmbedding: Sendable {
  /// The width of an embedding, even.
  public let size: Int
  /// Frequencies are maximumPeriod^(-i / (size / 2 - frequencyShift)): 1 in the DPPO reference, 0
  /// or 1 in diffusers (`downscale_freq_shift`).
  public let frequencyShift: Double
  /// Cosines first, as diffusers' `flip_sin_to_cos`.
  public let isCosineFirst: Bool
  /// The longest wavelength over 2 pi.
  public let maximumPeriod: Double

  /// An embedding in the form of the DPPO reference unless told otherwise.
  public init(
    size: Int, frequencyShift: Double = 1, isCosineFirst: Bool = false,
    maximumPeriod: Double = 10_000
  ) {
    precondition(
      size > 0 && size % 2 == 0 && Double(size / 2) > frequencyShift,
      "a sinusoidal embedding cannot have size \(size)")
    self.size = size
    self.frequencyShift = frequencyShift
    self.isCosineFirst = isCosineFirst
    self.maximumPeriod = maximumPeriod
  }

  /// `size / 2` of them, the highest first.
  public var frequencies: [Float] {
    let half = size / 2
    let scale = Float(log(maximumPeriod) / (Double(half) - frequencyShift))
    return (0..<half).map { expf(Float($0) * -scale) }
  }

  /// `[values.count, size]`
  public func callAsFunction(_ values: [Float]) -> Tensor {
    let half = size / 2
    let frequencies = frequencies
    return Tensor(shape: [values.count, size]) { result in
      for (row, value) in values.enumerated() {
        for (column, frequency) in frequencies.enumerated() {
          let angle = value * frequency
          let first = row * size + column
          result[first] = isCosineFirst ? cosf(angle) : sinf(angle)
          result[first + half] = isCosineFirst ? sinf(angle) : cosf(angle)
        }
      }
    }
  }
}
