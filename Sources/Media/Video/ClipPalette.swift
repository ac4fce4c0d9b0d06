/// At most 256 colors for all frames of a clip.
///
/// Where the frames have no more colors than that, these are they. Otherwise boxes of similar colors
/// are split, the one that spreads most first, until there are 255 (the last entry stays free, for
/// pixels that do not change); a color of the palette is the mean of its box.
struct ClipPalette {
  /// 1 to 256 colors.
  let colors: [Color]
  /// Whether every color of the frames is one of the palette.
  let isExact: Bool
  /// The entry of each color, where these are all.
  private var table: ColorTable
  /// The entry of each box of 4x4x4 colors; negative until it is looked up.
  private var nearest: [Int16] = []

  static let maxCount = 256

  /// Finds the colors of RGB images.
  init(_ images: [Image]) {
    var table = ColorTable()
    isExact = images.allSatisfy { table.add($0) }
    self.table = table
    if isExact {
      colors = table.colors
      return
    }
    colors = ColorHistogram(images).split(into: ClipPalette.maxCount - 1)
    nearest = [Int16](repeating: -1, count: ColorHistogram.boxCount)
  }

  /// Writes the entry of each pixel.
  ///
  /// - Parameters:
  ///   - image: one of the images, RGB.
  ///   - target: `height` rows of `stride` bytes.
  mutating func index(_ image: Image, into target: UnsafeMutablePointer<UInt8>, stride: Int) {
    image.samples.withUnsafeBufferPointer { samples in
      var start = 0
      for row in 0..<image.height {
        for column in 0..<image.width {
          let (red, green, blue) = (samples[start], samples[start + 1], samples[start + 2])
          target[row * stride + column] =
            isExact ? table.index(red, green, blue) : nearestIndex(red, green, blue)
          start += 3
        }
      }
    }
  }

  /// The nearest entry, found once for the middle of each box of 4x4x4 colors.
  private mutating func nearestIndex(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> UInt8 {
    let box = ColorHistogram.box(red, green, blue)
    if nearest[box] < 0 {
      let middle = [red, green, blue].map { Int($0 & 0xFC) + 2 }
      var best = (index: 0, distance: Int.max)
      for (index, color) in colors.enumerated() {
        let distance = ClipPalette.distance(color, middle)
        if distance < best.distance { best = (index, distance) }
      }
      nearest[box] = Int16(best.index)
    }
    return UInt8(nearest[box])
  }

  /// Squares of differences, weighted about as the eye does.
  private static func distance(_ color: Color, _ other: [Int]) -> Int {
    let red = Int(color.red) - other[0]
    let green = Int(color.green) - other[1]
    let blue = Int(color.blue) - other[2]
    return 2 * red * red + 4 * green * green + 3 * blue * blue
  }
}

/// Up to 256 colors and their numbers, in the order in which they were first seen.
private struct ColorTable {
  private(set) var colors: [Color] = []
  /// The color of a place plus one, so that zero is free.
  private var keys = [UInt32](repeating: 0, count: 1_024)
  private var indices = [UInt8](repeating: 0, count: 1_024)

  /// Adds the colors of an RGB image; false if they are too many.
  mutating func add(_ image: Image) -> Bool {
    image.samples.withUnsafeBufferPointer { samples in
      var last: UInt32 = 0
      for start in stride(from: 0, to: samples.count, by: 3) {
        let key = ColorTable.key(samples[start], samples[start + 1], samples[start + 2])
        if key == last { continue }
        last = key
        let place = place(of: key)
        guard keys[place] == 0 else { continue }
        guard colors.count < ClipPalette.maxCount else { return false }
        keys[place] = key
        indices[place] = UInt8(colors.count)
        colors.append(Color(key - 1))
      }
      return true
    }
  }

  /// The number of a color that was added.
  func index(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> UInt8 {
    indices[place(of: ColorTable.key(red, green, blue))]
  }

  private static func key(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> UInt32 {
    (UInt32(red) << 16 | UInt32(green) << 8 | UInt32(blue)) + 1
  }

  /// Where a color is, or would go; three of four places stay free.
  private func place(of key: UInt32) -> Int {
    var place = Int((key &* 0x9E37_79B1) >> 22)
    while keys[place] != 0 && keys[place] != key { place = (place + 1) & 1_023 }
    return place
  }
}
