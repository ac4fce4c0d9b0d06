import Diffusion
import Tensors

/// A distribution of whole action chunks whose density is known: what a `DensityNetwork` gives.
public protocol ChunkDistribution: Sendable {
  /// A chunk for each row, `[B, Tp, Da]`: a draw where the policy explores, else as it acts when it
  /// is evaluated.
  func chunks(_ mode: ActionMode, _ draws: ChunkDraws) -> Tensor

  /// Log-densities that add up to those of chunks `[B, Tp, Da]`, differentiable: of every element
  /// `[B, Tp, Da]`, or, where elements depend on one another, of every chunk `[B]`.
  func logDensities(of chunks: Tensor) -> Tensor

  /// The mean of ln(standard deviation) over rows and elements, a scalar, differentiable; nil where
  /// there is none. A mixture's components count by their probabilities.
  var meanLogStd: Tensor? { get }
}

extension ChunkDistribution {
  /// The log-density of each chunk `[B]`, averaged over its elements: on a scale that does not grow
  /// with the size of a chunk.
  func meanLogDensities(of chunks: Tensor) -> Tensor {
    logDensities(of: chunks).reshaped(to: [chunks.shape[0], -1]).sum(along: 1)
      / Float(chunks.shape.dropFirst().reduce(1, *))
  }

  /// The mean entropy of an element, ln(standard deviation) + (1 + ln 2 pi) / 2. A mixture's is that
  /// of its components, as in the DPPO reference: that they are several counts for nothing.
  var meanEntropy: Tensor? { meanLogStd.map { $0 + 1.418_938_5 } }
}

/// What chunks are drawn by: a stream of random numbers for each row.
public struct ChunkDraws: Sendable {
  private let streams: [RandomStream]
  private let chunkShape: [Int]
  private let noiseLimit: Float

  /// - Parameters:
  ///   - streams: one for each row.
  ///   - chunkShape: `[Tp, Da]`
  ///   - noiseLimit: noise stays within +- this.
  public init(streams: [RandomStream], chunkShape: [Int], noiseLimit: Float) {
    self.streams = streams
    self.chunkShape = chunkShape
    self.noiseLimit = noiseLimit
  }

  /// Noise from N(0, I) within its limit, `[B, Tp, Da]`; the same at every call.
  public func noise() -> Tensor {
    var noise = RecordedNoise(drawing: 1, ofRowShape: chunkShape, from: streams)
    return noise.noise([streams.count] + chunkShape).clamped(to: -noiseLimit, noiseLimit)
  }

  /// One of `G` for each row, by probabilities `[B, G]` and by random numbers apart from those of
  /// `noise()`; nil for a row whose probabilities are not finite.
  public func choices(_ probabilities: Tensor) -> [Int?] {
    let (count, values) = (probabilities.shape[1], probabilities.elements)
    return streams.enumerated().map { row, stream in
      let weights = values[row * count..<(row + 1) * count].map(Double.init)
      guard weights.allSatisfy(\.isFinite) else { return nil }
      var stream = stream.split(0, purpose: "choice")
      return stream.choice(1, weights: weights)[0]
    }
  }
}
