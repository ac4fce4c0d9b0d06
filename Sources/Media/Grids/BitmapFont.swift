/// A small proportional font for captions: capitals are 7 pixels high, drawn at whole multiples.
struct BitmapFont: Sendable {
  static let standard = BitmapFont(drawing: drawing)

  /// Rows from the top of a capital to the end of a descender.
  static let glyphHeight = 9
  /// Rows from one line to the next.
  static let lineHeight = 11

  private struct Glyph {
    /// Columns without the gap to the next glyph.
    var width: Int
    /// One row each, the leftmost column in the lowest bit.
    var rows: [UInt8]
  }

  /// ASCII 32...126, then the box.
  private let glyphs: [Glyph]

  private init(drawing: String) {
    let bands = drawing.split(separator: "\n").map { $0.split(separator: " ") }
    var glyphs: [Glyph] = []
    for index in 0..<96 {
      let top = index / 16 * BitmapFont.glyphHeight
      let rows = (top..<top + BitmapFont.glyphHeight).map { row in
        bands[row][index % 16].utf8.enumerated().reduce(UInt8(0)) { bits, pixel in
          pixel.element == UInt8(ascii: "#") ? bits | 1 << pixel.offset : bits
        }
      }
      glyphs.append(BitmapFont.trimmed(rows, isDigit: (16...25).contains(index)))
    }
    glyphs[0].width = 3  // the space
    self.glyphs = glyphs
  }

  /// Moves a glyph to the left edge; digits keep their width so that numbers line up.
  private static func trimmed(_ rows: [UInt8], isDigit: Bool) -> Glyph {
    let used = rows.reduce(0, |)
    if isDigit { return Glyph(width: 5, rows: rows) }
    return Glyph(
      width: 8 - used.leadingZeroBitCount - (used == 0 ? 0 : used.trailingZeroBitCount),
      rows: rows.map { used == 0 ? 0 : $0 >> used.trailingZeroBitCount })
  }

  private func glyph(_ character: Character) -> Glyph {
    guard let code = character.asciiValue, (32...126).contains(code) else { return glyphs[95] }
    return glyphs[Int(code) - 32]
  }

  /// The width of a line in pixels.
  func width(of text: some StringProtocol, scale: Int = 1) -> Int {
    max(0, text.reduce(-1) { $0 + glyph($1).width + 1 }) * scale
  }

  /// Draws a line with the upper left corner of its first capital at column `x` of row `y`.
  func draw(_ text: String, on image: inout Image, x: Int, y: Int, scale: Int, color: Color) {
    var left = x
    for character in text {
      let glyph = glyph(character)
      for (row, bits) in glyph.rows.enumerated() {
        for column in 0..<glyph.width where bits >> column & 1 == 1 {
          image.fill(
            x: left + column * scale, y: y + row * scale, width: scale, height: scale, color: color)
        }
      }
      left += (glyph.width + 1) * scale
    }
  }
}

extension Image {
  /// Fills a rectangle of this RGB image; what falls outside is cut off.
  mutating func fill(x: Int, y: Int, width: Int, height: Int, color: Color) {
    precondition(channelCount == 3, "filling needs an RGB image, not a \(self)")
    let columns = max(0, x)..<max(0, x, min(self.width, x + width))
    let rows = max(0, y)..<max(0, y, min(self.height, y + height))
    let rowSize = self.width * 3
    withUnsafeMutableSamples { samples in
      for row in rows {
        for column in columns {
          let start = row * rowSize + column * 3
          samples[start] = color.red
          samples[start + 1] = color.green
          samples[start + 2] = color.blue
        }
      }
    }
  }
}
