import Media
import Tensors

/// Points of the plane as an image, colored by the component that they lie nearest to.
func scatterPlot(_ samples: Tensor, of mixture: MixtureOfGaussians, size: Int = 220) -> Image {
  var image = Image(width: size, height: size, filledWith: Color(0xF7F8FA))
  let halfWidth: Float = 2.4
  func pixel(_ value: Float) -> Int { Int((value / halfWidth + 1) * 0.5 * Float(size)) }
  let elements = samples.elements
  image.withUnsafeMutableSamples { pixels in
    func paint(_ x: Int, _ y: Int, _ color: Color, opacity: Float) {
      guard (0..<size).contains(x), (0..<size).contains(y) else { return }
      let first = ((size - 1 - y) * size + x) * 3
      for (channel, value) in [color.red, color.green, color.blue].enumerated() {
        let mixed = Float(pixels[first + channel]) * (1 - opacity) + Float(value) * opacity
        pixels[first + channel] = UInt8(mixed.rounded())
      }
    }
    for row in 0..<samples.shape[0] {
      let (x, y) = (elements[2 * row], elements[2 * row + 1])
      let color = LineChart.colors[mixture.nearestComponent(x: x, y: y)]
      guard abs(x) < halfWidth, abs(y) < halfWidth else { continue }
      for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        paint(pixel(x) + dx, pixel(y) + dy, color, opacity: 0.5)
      }
    }
    for centre in mixture.centres {
      for offset in -4...4 {
        paint(pixel(centre.x) + offset, pixel(centre.y), .black, opacity: 1)
        paint(pixel(centre.x), pixel(centre.y) + offset, .black, opacity: 1)
      }
    }
  }
  return image
}
