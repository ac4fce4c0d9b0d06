/// An image of 8-bit samples: grey, RGB or RGBA, interleaved, rows from top to bottom.
public struct Image: Equatable, Sendable {
  /// Pixels in a row.
  public let width: Int
  /// Rows.
  public let height: Int
  /// Samples in a pixel: 1 is grey, 3 is RGB, 4 is RGBA with straight (not premultiplied) alpha.
  public let channelCount: Int
  /// The samples, `[H, W, C]` in row-major order.
  public private(set) var samples: [UInt8]

  /// Makes an image from its samples, `[H, W, C]` in row-major order.
  public init(width: Int, height: Int, channelCount: Int, samples: [UInt8]) {
    Image.checkSize(width: width, height: height, channelCount: channelCount)
    precondition(
      samples.count == width * height * channelCount,
      "an image of \(width)x\(height)x\(channelCount) needs \(width * height * channelCount) samples, "
        + "not \(samples.count)")
    self.width = width
    self.height = height
    self.channelCount = channelCount
    self.samples = samples
  }

  /// Makes an image whose samples `initialize` writes, all of them.
  public init(
    width: Int, height: Int, channelCount: Int,
    initializingWith initialize: (UnsafeMutableBufferPointer<UInt8>) throws -> Void
  ) rethrows {
    Image.checkSize(width: width, height: height, channelCount: channelCount)
    let count = width * height * channelCount
    self.width = width
    self.height = height
    self.channelCount = channelCount
    samples = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      try initialize(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      initializedCount = count
    }
  }

  /// Makes an RGB image of one color.
  public init(width: Int, height: Int, filledWith color: Color) {
    self.init(width: width, height: height, channelCount: 3) { samples in
      for index in 0..<width * height {
        samples[3 * index] = color.red
        samples[3 * index + 1] = color.green
        samples[3 * index + 2] = color.blue
      }
    }
  }

  /// The samples of the pixel in column `x` of row `y`.
  public subscript(x: Int, y: Int) -> ArraySlice<UInt8> {
    precondition(
      (0..<width).contains(x) && (0..<height).contains(y),
      "(\(x), \(y)) is outside an image of \(width)x\(height)")
    let start = (y * width + x) * channelCount
    return samples[start..<start + channelCount]
  }

  /// Calls `body` with the samples, `[H, W, C]` in row-major order, for writing.
  public mutating func withUnsafeMutableSamples<Result>(
    _ body: (UnsafeMutableBufferPointer<UInt8>) throws -> Result
  ) rethrows -> Result {
    try samples.withUnsafeMutableBufferPointer { try body($0) }
  }

  private static func checkSize(width: Int, height: Int, channelCount: Int) {
    precondition(
      width > 0 && height > 0, "an image has at least one pixel: \(width)x\(height) does not")
    precondition(
      channelCount == 1 || channelCount == 3 || channelCount == 4,
      "an image has 1, 3 or 4 channels, not \(channelCount)")
  }
}

extension Image: CustomStringConvertible {
  /// The size and the kind of pixels.
  public var description: String {
    let kind = channelCount == 1 ? "grey" : channelCount == 3 ? "RGB" : "RGBA"
    return "\(width)x\(height) \(kind) image"
  }
}

/// An opaque sRGB color of 8 bits a component.
public struct Color: Hashable, Sendable {
  /// The components, 0 to 255.
  public var red: UInt8, green: UInt8, blue: UInt8

  /// Makes a color from its components, 0 to 255.
  public init(red: UInt8, green: UInt8, blue: UInt8) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  /// Makes a color from its hexadecimal form, `0xRRGGBB`.
  public init(_ hexadecimal: UInt32) {
    self.init(
      red: UInt8(truncatingIfNeeded: hexadecimal >> 16),
      green: UInt8(truncatingIfNeeded: hexadecimal >> 8),
      blue: UInt8(truncatingIfNeeded: hexadecimal))
  }

  /// Makes a color from `RRGGBB` or `#RRGGBB`; nil if `text` is neither.
  public init?(hexadecimal text: String) {
    let digits = text.hasPrefix("#") ? text.dropFirst() : text[...]
    guard digits.utf8.count == 6, digits.allSatisfy(\.isHexDigit),
      let value = UInt32(digits, radix: 16)
    else { return nil }
    self.init(value)
  }

  /// Opaque white.
  public static let white = Color(0xFFFFFF)
  /// Opaque black.
  public static let black = Color(0x000000)

  /// Whether white text reads better on it than black text.
  public var isDark: Bool {
    299 * Int(red) + 587 * Int(green) + 114 * Int(blue) < 128_000
  }

  /// The form `#rrggbb`.
  public var hexadecimal: String {
    "#"
      + [red, green, blue].map { component in
        (component < 16 ? "0" : "") + String(component, radix: 16)
      }.joined()
  }
}

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

  /// Lays `image` over this RGB image with its upper left corner at column `x` of row `y`; what
  /// falls outside is cut off.
  public mutating func draw(_ image: Image, x: Int, y: Int) {
    precondition(channelCount == 3, "drawing needs an RGB image to draw on, not a \(self)")
    let columns = max(0, x)..<max(0, x, min(width, x + image.width))
    let rows = max(0, y)..<max(0, y, min(height, y + image.height))
    let (width, channelCount) = (width, image.channelCount)
    withUnsafeMutableSamples { target in
      image.samples.withUnsafeBufferPointer { source in
        if channelCount == 3, let to = target.baseAddress, let from = source.baseAddress {
          // Nothing shines through.
          for row in rows {
            (to + (row * width + columns.lowerBound) * 3).update(
              from: from + ((row - y) * image.width + columns.lowerBound - x) * 3,
              count: columns.count * 3)
          }
          return
        }
        for row in rows {
          for column in columns {
            let from = ((row - y) * image.width + column - x) * channelCount
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
