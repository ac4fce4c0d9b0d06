import Media

/// The visible pixels of an image that is laid over others.
struct Layer: Sendable {
  struct Pixel: Sendable {
    /// The position in the image, row by row.
    let position: Int
    let red: UInt8, green: UInt8, blue: UInt8, alpha: UInt8
  }

  let pixels: [Pixel]

  init(_ image: Image) {
    self.init(image, x: 0, y: 0, width: image.width, height: image.height)
  }

  /// Takes a part of an image; positions are those of the part.
  init(_ image: Image, x: Int, y: Int, width: Int, height: Int) {
    let samples = image.rgba().samples
    pixels = (0..<width * height).compactMap { position in
      let start = 4 * ((y + position / width) * image.width + x + position % width)
      let alpha = samples[start + 3]
      return alpha == 0
        ? nil
        : Pixel(
          position: position, red: samples[start], green: samples[start + 1],
          blue: samples[start + 2], alpha: alpha)
    }
  }

  /// Lays the pixels over an opaque RGB image, rounding as Pillow's `alpha_composite` does.
  func draw(on samples: UnsafeMutableBufferPointer<UInt8>) {
    for pixel in pixels {
      let start = 3 * pixel.position
      if pixel.alpha == 255 {
        samples[start] = pixel.red
        samples[start + 1] = pixel.green
        samples[start + 2] = pixel.blue
      } else {
        samples[start] = blend(pixel.red, over: samples[start], alpha: pixel.alpha)
        samples[start + 1] = blend(pixel.green, over: samples[start + 1], alpha: pixel.alpha)
        samples[start + 2] = blend(pixel.blue, over: samples[start + 2], alpha: pixel.alpha)
      }
    }
  }
}
