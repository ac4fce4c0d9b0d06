import Testing

@testable import Media

@Test func gridsOfEqualImagesArePlacedExactly() {
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

@Test func imagesOfOtherSizesAreCentered() {
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
  for (size, lineHeight) in [(64, 10...20), (448, 18...32)] {
    let large = image.resized(width: size, height: size, method: .nearest)
    var grid = ImageGrid([large, large], columnCount: 2, captions: [text, "short"])
    grid.title = "A title that is longer than the grid is wide, so that it has to wrap at the end"
    let layout = ImageGridLayout(grid)
    let captions = layout.captions.filter { $0.y > grid.padding + size }
    #expect(captions.count == 2 && layout.captions.count == 3)
    #expect(lineHeight.contains(captions[1].height) && captions[1].text.lineCount == 1)
    #expect((2...3).contains(captions[0].text.lineCount))
    for caption in layout.captions {
      #expect(caption.x >= grid.padding)
      #expect(caption.x + caption.width <= layout.width - grid.padding)
      #expect(Int(caption.text.size.x) <= caption.width)
      #expect(caption.y + caption.height <= layout.height)
    }
    #expect(captions[0].x + captions[0].width <= captions[1].x)
  }
}

/// Pixels that differ from the background in a rectangle.
private func inkCount(_ image: Image, x: Range<Int>, y: Range<Int>) -> Int {
  y.reduce(0) { sum, row in
    sum + x.filter { image[$0, row].contains { $0 < 128 } }.count
  }
}

@Test func captionsAreDrawnBelowTheirImages() {
  let image = Image(width: 128, height: 40, filledWith: .white)
  let captions = ["a knight", "", "рыцарь", "فارس"]
  let grid = ImageGrid(Array(repeating: image, count: 4), columnCount: 4, captions: captions)
  let drawn = grid.rendered()
  #expect((drawn.width, drawn.height) == grid.size)
  for (index, caption) in captions.enumerated() {
    let left = 8 + index * 136
    let count = inkCount(drawn, x: left..<left + 128, y: 48..<drawn.height)
    #expect(caption.isEmpty ? count == 0 : (15...600).contains(count), "\(caption): \(count)")
    // Centered.
    #expect(inkCount(drawn, x: left..<left + 20, y: 48..<drawn.height) == 0)
    #expect(inkCount(drawn, x: left + 108..<left + 128, y: 48..<drawn.height) == 0)
  }
  #expect(inkCount(drawn, x: 0..<drawn.width, y: 0..<48) == 0)
}

/// Cairo paints at most 32,767 pixels a side; a grid may be longer.
@Test func longGridsAreDrawn() {
  let image = Image(width: 4, height: 4, filledWith: .black)
  let grid = ImageGrid(
    Array(repeating: image, count: 2_000), columnCount: 1,
    captions: (0..<2_000).map { "\($0)" })
  let drawn = grid.rendered()
  #expect(drawn.height > Canvas.maxSide)
  #expect(inkCount(drawn, x: 8..<104, y: drawn.height - 28..<drawn.height) > 20)
}
