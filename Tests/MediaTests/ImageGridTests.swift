import Testing

@testable import Media

@Test func gridsOfEqualPicturesArePlacedExactly() {
  let images = (0..<5).map { randomImage(width: 6, height: 4, channelCount: 3, seed: UInt64($0)) }
  var grid = ImageGrid(images, columnCount: 3)
  grid.padding = 2
  grid.background = Color(0x123456)
  let drawn = grid.rendered()
  #expect(drawn.width == 3 * 6 + 4 * 2 && drawn.height == 2 * 4 + 3 * 2)
  #expect(grid.size == (drawn.width, drawn.height))
  for (index, image) in images.enumerated() {
    let (left, top) = (2 + index % 3 * 8, 2 + index / 3 * 6)
    for y in 0..<4 {
      for x in 0..<6 { #expect(Array(drawn[left + x, top + y]) == Array(image[x, y])) }
    }
  }
  #expect(Array(drawn[1, 1]) == [0x12, 0x34, 0x56])
  #expect(Array(drawn[20, 9]) == [0x12, 0x34, 0x56])  // the empty sixth place
}

@Test func picturesOfOtherSizesAreCentered() {
  let wide = Image(width: 11, height: 3, filledWith: .black)
  let tall = Image(width: 5, height: 9, filledWith: .black)
  var grid = ImageGrid([wide, tall, tall], columnCount: 2)
  grid.padding = 1
  let layout = ImageGridLayout(grid)
  #expect(layout.width == 1 + 11 + 1 + 5 + 1 && layout.height == 1 + 9 + 1 + 9 + 1)
  #expect(layout.places.map { $0.x } == [1, 13, 4])
  #expect(layout.places.map { $0.y } == [4, 1, 11])
}

@Test func magnifiedPixelsAreSquares() {
  var grid = ImageGrid([randomImage(width: 3, height: 2, channelCount: 3, seed: 9)])
  grid.padding = 0
  grid.magnification = 4
  #expect(
    grid.rendered() == grid.images[0].resized(width: 12, height: 8, method: .nearest))
}

@Test func withoutColumnsAGridIsAboutSquare() {
  let image = Image(width: 2, height: 2, filledWith: .black)
  #expect(
    [1, 2, 4, 5, 9, 10].map { ImageGrid(Array(repeating: image, count: $0)).columnCount }
      == [1, 2, 2, 3, 3, 4])
}

@Test func captionsStayInsideTheirColumns() {
  let image = Image(width: 64, height: 64, filledWith: .black)
  let text = "a caption of many words and oneveryverylongwordthatdoesnotfit at all, K' = 10"
  for (size, scale) in [(64, 1), (448, 2)] {
    let large = image.resized(width: size, height: size, method: .nearest)
    var grid = ImageGrid([large, large], columnCount: 2, captions: [text, "short"])
    grid.title = "A title that is longer than the grid is wide, so that it has to wrap"
    let layout = ImageGridLayout(grid)
    let font = BitmapFont.standard
    let captions = layout.lines.filter { $0.y > grid.padding + size }
    #expect(captions.count == 4)
    #expect(captions.allSatisfy { $0.scale == scale })
    #expect(layout.lines.count > captions.count)
    for line in layout.lines {
      #expect(line.x >= grid.padding)
      #expect(line.x + font.width(of: line.text, scale: line.scale) <= layout.width - grid.padding)
      #expect(line.y + BitmapFont.glyphHeight * line.scale <= layout.height)
    }
  }
}

@Test func captionsWrapAndEnd() {
  func lines(_ text: String, width: Int, limit: Int = 3) -> [String] {
    Caption(text, width: width, lineLimit: limit, scale: 1).lines
  }
  #expect(lines("one two", width: 200) == ["one two"])
  #expect(lines("one two", width: 30) == ["one", "two"])
  #expect(lines("  one\n\ntwo ", width: 200) == ["one", "two"])
  #expect(lines("", width: 50) == [])
  #expect(lines("aaaaaaaa", width: 24) == ["aaaa", "aaaa"])  // 4 glyphs of 5 and 3 gaps are 23
  let cut = lines("one two three four five six", width: 36, limit: 2)
  #expect(cut.count == 2 && cut[1].hasSuffix("...") && !cut[1].contains(" ..."))
  #expect(BitmapFont.standard.width(of: cut[1]) <= 36)
  // Narrower than a glyph: one character a line, and an end.
  #expect(lines("abc", width: 1) == ["a", "b", "c"])
}

@Test func theFontHasEveryPrintableCharacter() {
  var drawings: Set<[UInt8]> = []
  for code in UInt8(32)...127 {
    var image = Image(width: 8, height: 9, filledWith: .white)
    let text = String(UnicodeScalar(code))
    BitmapFont.standard.draw(text, on: &image, x: 0, y: 0, scale: 1, color: .black)
    drawings.insert(image.samples)
    #expect((1...5).contains(BitmapFont.standard.width(of: text)))
  }
  // The space, 94 glyphs, and the box for 127: all different.
  #expect(drawings.count == 96)
  #expect(BitmapFont.standard.width(of: "0123456789") == 59)
}
