import Foundation
import Tensors

/// Keeps the lowest spatial frequencies of each channel: the orthogonal projection on the first
/// functions of the discrete cosine transform in either direction.
struct LowPass: Sendable {
  private let rows: Tensor  // [h, h]
  private let columns: Tensor  // [w, w]

  /// - Parameters:
  ///   - shape: `[h, w, C]`
  ///   - share: of the frequencies that are kept, above 0 and up to 1.
  /// - Returns: nil where everything is kept.
  init?(shape: [Int], share: Double) {
    guard share < 1 else { return nil }
    rows = Self.projection(size: shape[0], share: share.squareRoot())
    columns = Self.projection(size: shape[1], share: share.squareRoot())
  }

  /// The low frequencies of a field `[h, w, C]`.
  func callAsFunction(_ field: Tensor) -> Tensor {
    let (height, width, channelCount) = (field.shape[0], field.shape[1], field.shape[2])
    let vertical = rows.matmul(field.reshaped(to: [height, width * channelCount]))
    let turned = vertical.reshaped(to: field.shape).transposed([1, 0, 2])  // [w, h, C]
    let both = columns.matmul(turned.reshaped(to: [width, height * channelCount]))
    return both.reshaped(to: [width, height, channelCount]).transposed([1, 0, 2])
  }

  /// `C^T C` for the first rows of the orthonormal transform C (DCT-II), `[n, n]`.
  private static func projection(size: Int, share: Double) -> Tensor {
    let kept = max(1, Int((Double(size) * share).rounded()))
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
