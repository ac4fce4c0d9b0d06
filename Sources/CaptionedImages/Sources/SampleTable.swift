import Media
import Tensors

/// 8-bit samples as elements of -1...1.
enum SampleTable {
  /// The element of each sample, in the arithmetic of diffusers' image processor: `2 (x / 255) -
  /// 1`.
  static let elements: [Float] = (0...255).map { 2 * (Float($0) / 255) - 1 }

  /// RGB pictures of one size as a batch `[B, H, W, 3]`.
  static func batch(_ images: [Image], width: Int, height: Int) -> Tensor {
    let size = width * height * 3
    return Tensor(shape: [images.count, height, width, 3]) { target in
      elements.withUnsafeBufferPointer { table in
        for (index, image) in images.enumerated() {
          precondition(image.samples.count == size, "\(image) in a batch of \(width)x\(height)")
          image.samples.withUnsafeBufferPointer { samples in
            let start = index * size
            for offset in 0..<size { target[start + offset] = table[Int(samples[offset])] }
          }
        }
      }
    }
  }
}
