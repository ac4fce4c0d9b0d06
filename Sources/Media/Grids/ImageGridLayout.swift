/// Where everything in a grid goes.
struct ImageGridLayout {
  struct Line {
    var text: String
    var x: Int, y: Int
    var scale: Int
  }

  var width = 0
  var height = 0
  /// The upper left corners of the pictures.
  var places: [(x: Int, y: Int)] = []
  /// Title and captions.
  var lines: [Line] = []

  /// Columns with captions are at least this wide, about 16 characters.
  private static let narrowestCaption = 96

  init(_ grid: ImageGrid) {
    precondition(
      grid.padding >= 0 && grid.magnification > 0 && grid.captionLineLimit > 0,
      "a grid cannot have padding \(grid.padding), magnification \(grid.magnification) and "
        + "captions of \(grid.captionLineLimit) lines")
    let count = grid.images.count
    let columnCount = min(grid.columnCount, count)
    let hasCaptions = grid.captions.contains { !$0.isEmpty }

    // 1. Columns as wide as their widest picture.
    var columnWidths = [Int](
      repeating: hasCaptions ? ImageGridLayout.narrowestCaption : 1, count: columnCount)
    for (index, image) in grid.images.enumerated() {
      let column = index % columnCount
      columnWidths[column] = max(columnWidths[column], image.width * grid.magnification)
    }
    width = columnWidths.reduce(grid.padding) { $0 + $1 + grid.padding }

    // 2. One size of text for the whole grid: 7 pixels for columns of 256, 14 from 384, ...
    let scale = max(1, (columnWidths.reduce(0, +) / columnCount + 128) / 256)
    var y = grid.padding + addTitle(of: grid, captionScale: scale)

    // 3. Rows as high as their highest picture and their longest caption.
    for rowStart in stride(from: 0, to: count, by: columnCount) {
      let row = rowStart..<min(count, rowStart + columnCount)
      let pictureHeight = row.map { grid.images[$0].height * grid.magnification }.max() ?? 0
      var lineCount = 0
      var x = grid.padding
      for index in row {
        let image = grid.images[index]
        let columnWidth = columnWidths[index - rowStart]
        places.append(
          (
            x + (columnWidth - image.width * grid.magnification) / 2,
            y + (pictureHeight - image.height * grid.magnification) / 2
          ))
        if index < grid.captions.count {
          let caption = Caption(
            grid.captions[index], width: columnWidth, lineLimit: grid.captionLineLimit, scale: scale
          )
          addCaption(caption, x: x, y: y + pictureHeight, width: columnWidth, scale: scale)
          lineCount = max(lineCount, caption.lines.count)
        }
        x += columnWidth + grid.padding
      }
      let textHeight =
        lineCount == 0
        ? 0 : (lineCount * BitmapFont.lineHeight + 2 * ImageGridLayout.textGap) * scale
      y += pictureHeight + textHeight + grid.padding
    }
    height = y
  }

  /// Pixels between a picture and its caption at scale 1.
  private static let textGap = 4

  private mutating func addCaption(_ caption: Caption, x: Int, y: Int, width: Int, scale: Int) {
    for (index, text) in caption.lines.enumerated() {
      let lineWidth = BitmapFont.standard.width(of: text, scale: scale)
      lines.append(
        Line(
          text: text, x: x + (width - lineWidth) / 2,
          y: y + (ImageGridLayout.textGap + index * BitmapFont.lineHeight) * scale, scale: scale))
    }
  }

  /// Adds the title in larger letters and gives the height that it takes.
  private mutating func addTitle(of grid: ImageGrid, captionScale: Int) -> Int {
    guard let title = grid.title, !title.isEmpty else { return 0 }
    let space = width - 2 * grid.padding
    let fits = BitmapFont.standard.width(of: title, scale: captionScale + 1) <= space
    let scale = fits ? captionScale + 1 : captionScale
    let caption = Caption(title, width: space, lineLimit: grid.captionLineLimit, scale: scale)
    for (index, text) in caption.lines.enumerated() {
      lines.append(
        Line(
          text: text, x: grid.padding, y: grid.padding + index * BitmapFont.lineHeight * scale,
          scale: scale))
    }
    return caption.lines.count * BitmapFont.lineHeight * scale + grid.padding
  }
}
