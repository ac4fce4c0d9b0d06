import Media

/// The visible pixels of a layer.
struct DollLayer: Sendable {
  struct Pixel: Sendable {
    /// The position in the picture, row by row.
    let position: Int
    let red: UInt8, green: UInt8, blue: UInt8, alpha: UInt8
  }

  let pixels: [Pixel]

  init(_ image: Image) {
    let samples = image.rgba().samples
    pixels = (0..<image.width * image.height).compactMap { position in
      let start = 4 * position
      let alpha = samples[start + 3]
      return alpha == 0
        ? nil
        : Pixel(
          position: position, red: samples[start], green: samples[start + 1],
          blue: samples[start + 2], alpha: alpha)
    }
  }

  /// Lays the pixels over an opaque RGB picture, rounding as Pillow's `alpha_composite` does.
  func draw(on samples: UnsafeMutableBufferPointer<UInt8>) {
    for pixel in pixels {
      let start = 3 * pixel.position
      if pixel.alpha == 255 {
        samples[start] = pixel.red
        samples[start + 1] = pixel.green
        samples[start + 2] = pixel.blue
      } else {
        samples[start] = DollLayer.blend(pixel.red, pixel.alpha, samples[start])
        samples[start + 1] = DollLayer.blend(pixel.green, pixel.alpha, samples[start + 1])
        samples[start + 2] = DollLayer.blend(pixel.blue, pixel.alpha, samples[start + 2])
      }
    }
  }

  private static func blend(_ sample: UInt8, _ alpha: UInt8, _ background: UInt8) -> UInt8 {
    let sum = UInt32(alpha) * UInt32(sample) + UInt32(255 - alpha) * UInt32(background)
    return UInt8(truncatingIfNeeded: (sum + 127) / 255)
  }
}
