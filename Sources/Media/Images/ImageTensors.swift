import Tensors

/// The interval of tensor elements that stands for black to white.
public enum SampleRange: Sendable {
  /// Black is 0 and white is 1.
  case zeroToOne
  /// Black is -1 and white is 1, as diffusion models have it.
  case minusOneToOne
}

extension Image {
  /// The samples as a tensor `[H, W, C]`.
  public func tensor(range: SampleRange) -> Tensor {
    // The arithmetic of diffusers' VaeImageProcessor: x / 255, then 2x - 1.
    let elements = (0...255).map { sample in
      let unit = Float(sample) / 255
      return range == .zeroToOne ? unit : 2 * unit - 1
    }
    return Tensor(shape: [height, width, channelCount]) { target in
      for (index, sample) in samples.enumerated() { target[index] = elements[Int(sample)] }
    }
  }

  /// Makes an image from a tensor `[H, W, C]` with 1, 3 or 4 channels, or `[H, W]` for grey.
  ///
  /// Elements outside `range` are clamped; halves round to even, as `numpy.round` does; NaN is 0.
  public init(_ tensor: Tensor, range: SampleRange) {
    precondition(
      tensor.rank == 2 || tensor.rank == 3,
      "an image is made from a tensor [H, W, C] or [H, W], not \(tensor.shape)")
    let channelCount = tensor.rank == 3 ? tensor.shape[2] : 1
    self.init(width: tensor.shape[1], height: tensor.shape[0], channelCount: channelCount) {
      target in
      tensor.withUnsafeElements { Image.quantize($0, range: range, into: target) }
    }
  }

  /// Makes the images of a batch `[B, H, W, C]`; see `init(_:range:)`.
  public static func batch(_ tensor: Tensor, range: SampleRange) -> [Image] {
    precondition(
      tensor.rank == 4, "images are made from a tensor [B, H, W, C], not \(tensor.shape)")
    let (height, width, channelCount) = (tensor.shape[1], tensor.shape[2], tensor.shape[3])
    let size = height * width * channelCount
    return (0..<tensor.shape[0]).map { index in
      Image(width: width, height: height, channelCount: channelCount) { target in
        tensor.withUnsafeElements { elements in
          let part = UnsafeBufferPointer(rebasing: elements[index * size..<(index + 1) * size])
          quantize(part, range: range, into: target)
        }
      }
    }
  }

  private static func quantize(
    _ elements: UnsafeBufferPointer<Float>, range: SampleRange,
    into samples: UnsafeMutableBufferPointer<UInt8>
  ) {
    let (scale, offset): (Float, Float) = range == .zeroToOne ? (1, 0) : (0.5, 0.5)
    // Adding 1.5 * 2^23 to a small float and taking it away rounds it to a whole number, halves to
    // even; unlike `rounded`, the loop stays a vector loop on every processor.
    let rounder: Float = 12_582_912
    for index in 0..<elements.count {
      let unit = elements[index] * scale + offset
      let clamped = unit > 0 ? (unit < 1 ? unit : 1) : 0  // NaN is not > 0
      let rounded = (clamped * 255 + rounder) - rounder
      samples[index] = UInt8(truncatingIfNeeded: Int32(rounded))
    }
  }
}
