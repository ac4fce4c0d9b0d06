import Foundation
import Media

/// A moving test image: smooth gradients that drift, and a disk that crosses them.
func clipFrame(_ index: Int, width: Int, height: Int) -> Image {
  let time = Double(index) / 24
  let centerX = Double(width) * (0.5 + 0.35 * cos(2 * time))
  let centerY = Double(height) * (0.5 + 0.35 * sin(2 * time))
  let radius = Double(min(width, height)) * 0.15
  let columns = (0..<width).map { sin(Double($0) * 6 / Double(width) + time) }
  let rows = (0..<height).map { cos(Double($0) * 5 / Double(height) - time) }
  return Image(width: width, height: height, channelCount: 3) { samples in
    for y in 0..<height {
      for x in 0..<width {
        let distance =
          ((Double(x) - centerX) * (Double(x) - centerX)
          + (Double(y) - centerY) * (Double(y) - centerY)).squareRoot()
        // 1 inside the disk, 0 outside, two pixels wide between.
        let disk = max(0, min(1, (radius - distance) / 2 + 0.5))
        let start = (y * width + x) * 3
        let shades = (128 + 90 * columns[x], 128 + 90 * rows[y], 128 + 60 * columns[x] * rows[y])
        samples[start] = UInt8(shades.0 + (230 - shades.0) * disk)
        samples[start + 1] = UInt8(shades.1 + (60 - shades.1) * disk)
        samples[start + 2] = UInt8(shades.2 + (40 - shades.2) * disk)
      }
    }
  }
}

/// The ratio of the peak to the error in decibels, over all samples.
func peakSignalToNoise(_ a: [UInt8], _ b: [UInt8]) -> Double {
  guard a.count == b.count, !a.isEmpty else { return -.infinity }
  let sum = zip(a, b).reduce(0.0) {
    let difference = Double($1.0) - Double($1.1)
    return $0 + difference * difference
  }
  return 10 * log10(255 * 255 * Double(a.count) / max(sum, 1e-9))
}

extension Image {
  /// With 4 levels of each component, so that 64 colors are enough.
  var withFewColors: Image {
    Image(width: width, height: height, channelCount: channelCount) { target in
      for index in samples.indices { target[index] = samples[index] / 64 * 85 }
    }
  }
}
