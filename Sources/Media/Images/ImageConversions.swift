extension Image {
  /// The image as RGB: grey is repeated, and transparent pixels are laid over `background`.
  public func rgb(over background: Color = .white) -> Image {
    if channelCount == 3 { return self }
    return Image(width: width, height: height, channelCount: 3) { target in
      samples.withUnsafeBufferPointer { source in
        for index in 0..<width * height {
          if channelCount == 1 {
            let grey = source[index]
            target[3 * index] = grey
            target[3 * index + 1] = grey
            target[3 * index + 2] = grey
          } else {
            let alpha = source[4 * index + 3]
            target[3 * index] = blend(source[4 * index], over: background.red, alpha: alpha)
            target[3 * index + 1] = blend(
              source[4 * index + 1], over: background.green, alpha: alpha)
            target[3 * index + 2] = blend(
              source[4 * index + 2], over: background.blue, alpha: alpha)
          }
        }
      }
    }
  }

  /// The image as RGBA; pixels that had no alpha become opaque.
  public func rgba() -> Image {
    if channelCount == 4 { return self }
    return Image(width: width, height: height, channelCount: 4) { target in
      samples.withUnsafeBufferPointer { source in
        let step = channelCount == 1 ? 0 : 1
        for index in 0..<width * height {
          let start = index * channelCount
          target[4 * index] = source[start]
          target[4 * index + 1] = source[start + step]
          target[4 * index + 2] = source[start + 2 * step]
          target[4 * index + 3] = 255
        }
      }
    }
  }

  /// Lays `picture` over this RGB image with its upper left corner at column `x` of row `y`; what
  /// falls outside is cut off.
  public mutating func draw(_ picture: Image, x: Int, y: Int) {
    precondition(channelCount == 3, "drawing needs an RGB image to draw on, not a \(self)")
    let columns = max(0, x)..<max(0, x, min(width, x + picture.width))
    let rows = max(0, y)..<max(0, y, min(height, y + picture.height))
    let (width, channelCount) = (width, picture.channelCount)
    withUnsafeMutableSamples { target in
      picture.samples.withUnsafeBufferPointer { source in
        if channelCount == 3, let to = target.baseAddress, let from = source.baseAddress {
          // Nothing shines through.
          for row in rows {
            (to + (row * width + columns.lowerBound) * 3).update(
              from: from + ((row - y) * picture.width + columns.lowerBound - x) * 3,
              count: columns.count * 3)
          }
          return
        }
        for row in rows {
          for column in columns {
            let from = ((row - y) * picture.width + column - x) * channelCount
            let to = (row * width + column) * 3
            let alpha = channelCount == 4 ? source[from + 3] : 255
            for channel in 0..<3 {
              let sample = source[from + (channelCount == 1 ? 0 : channel)]
              target[to + channel] = blend(sample, over: target[to + channel], alpha: alpha)
            }
          }
        }
      }
    }
  }
}

/// `(alpha * sample + (255 - alpha) * background) / 255`, rounded to nearest.
@inlinable
@inline(__always)
package func blend(_ sample: UInt8, over background: UInt8, alpha: UInt8) -> UInt8 {
  let sum = UInt32(alpha) * UInt32(sample) + UInt32(255 - alpha) * UInt32(background)
  return UInt8(truncatingIfNeeded: (sum + 127) / 255)
}
