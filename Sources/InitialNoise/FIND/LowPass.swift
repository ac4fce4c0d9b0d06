import Foundation
import Tensors

/// Keeps the lowest frequencies of each channel: the orthogonal projection on the first functions
/// of the discrete cosine transform along every axis but the last, rows and columns of an image,
/// frames too of a clip.
struct LowPass: Sendable {
  /// `[n, n]` for each of those axes.
  private let projections: [Tensor]

  /// - Parameters:
  ///   - shape: of a field, channels last.
  ///   - fraction: of the frequencies that are kept, above 0 and up to 1.
  ///   - timeFraction: of those along the first axis, the frames of a clip, so that `fraction` is of
  ///     those along the others; nil where it is of all.
  /// - Returns: nil where everything is kept.
  init?(shape: [Int], fraction: Double, timeFraction: Double? = nil) {
    guard fraction < 1 || timeFraction ?? 1 < 1 else { return nil }
    precondition(shape.count > 1, "a field of shape \(shape) has no axis besides its channels")
    let sides = Array(shape.dropLast())
    let own = timeFraction.map { [$0] } ?? []
    let others = sides.count - own.count
    let fractions = own + [Double](repeating: pow(fraction, 1 / Double(others)), count: others)
    projections = zip(sides, fractions).map { Self.projection(size: $0, fraction: $1) }
  }

  /// The low frequencies of a field `[..., C]`.
  func callAsFunction(_ field: Tensor) -> Tensor {
    // Each axis in turn is projected as the first, and then goes behind the others.
    let turn = Array(1..<projections.count) + [0, projections.count]
    return projections.reduce(field) { field, projection in
      let columns = field.reshaped(to: [projection.shape[0], -1])
      return projection.matmul(columns).reshaped(to: field.shape).transposed(turn)
    }
  }

  /// `C^T C` for the first rows of the orthonormal transform C (DCT-II), `[n, n]`.
  private static func projection(size: Int, fraction: Double) -> Tensor {
    let kept = max(1, Int((Double(size) * fraction).rounded()))
    let basis = (0..<kept).map { frequency in
      (0..<size).map { position -> Double in
        let norm = ((frequency == 0 ? 1 : 2) / Double(size)).squareRoot()
        return norm * cos(.pi * (Double(position) + 0.5) * Double(frequency) / Double(size))
      }
    }
    return Tensor(shape: [size, size]) { result in
      for row in 0..<size {
        for column in 0..<size {
          result[row * size + column] = Float(
            basis.reduce(0) { $0 + $1[row] * $1[column] })
        }
      }
    }
  }
}
