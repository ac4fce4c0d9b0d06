/// Images side by side in columns, each with its caption below.
public struct ImageGrid: Sendable {
  /// The images, row by row; those with alpha are laid over the background.
  public var images: [Image]
  /// Captions in the order of the images; fewer than images leave the last ones without.
  public var captions: [String]
  /// Images in a row.
  public var columnCount: Int
  /// A line above the grid.
  public var title: String?
  /// Pixels between images and around the grid.
  public var padding = 8
  /// Every pixel becomes a square of this many pixels; for sprites and latents.
  public var magnification = 1
  /// The most lines of a caption; longer ones end in an ellipsis.
  public var captionLineLimit = 3
  /// The color between images.
  public var background = Color.white
  /// The color of captions and title.
  public var textColor = Color(0x1F2933)

  /// Lays out `images` in rows of `columnCount`; without one, the grid is about square.
  public init(_ images: [Image], columnCount: Int? = nil, captions: [String] = []) {
    precondition(!images.isEmpty, "a grid has at least one image")
    precondition(
      captions.count <= images.count,
      "a grid of \(images.count) images cannot have \(captions.count) captions")
    let columnCount = columnCount ?? Int(Double(images.count).squareRoot().rounded(.up))
    precondition(columnCount > 0, "a grid cannot have \(columnCount) columns")
    self.images = images
    self.captions = captions
    self.columnCount = columnCount
  }

  /// The size of the drawn grid in pixels.
  public var size: (width: Int, height: Int) {
    let layout = ImageGridLayout(self)
    return (layout.width, layout.height)
  }

  /// Draws the grid.
  public func rendered() -> Image {
    let layout = ImageGridLayout(self)
    var grid = renderedText(layout)
    draw(images, on: &grid, layout)
    return grid
  }

  /// The grid with title and captions, without its images.
  func renderedText(_ layout: ImageGridLayout) -> Image {
    var grid = Image(width: layout.width, height: layout.height, filledWith: background)
    FontWarnings.report(for: layout.captions.map(\.text))
    for caption in layout.captions {
      // A canvas of its own: grids may be larger than cairo's images.
      let canvas = Canvas(
        width: caption.width, height: caption.height, background: background)
      canvas.draw(caption.text, at: .zero, color: textColor)
      grid.draw(canvas.image, x: caption.x, y: caption.y)
    }
    return grid
  }

  /// Draws images of the sizes of the grid's own in their places.
  func draw(_ images: [Image], on grid: inout Image, _ layout: ImageGridLayout) {
    for (image, place) in zip(images, layout.places) {
      let magnified =
        magnification == 1
        ? image
        : image.resized(
          width: image.width * magnification, height: image.height * magnification,
          method: .nearest)
      grid.draw(magnified, x: place.x, y: place.y)
    }
  }
}

/// Where everything in a grid goes.
struct ImageGridLayout {
  /// A text and its rectangle, in pixels.
  struct Caption {
    var text: Text
    var x: Int, y: Int
    var width: Int, height: Int
  }

  var width = 0
  var height = 0
  /// The upper left corners of the images.
  var places: [(x: Int, y: Int)] = []
  /// Title and captions.
  var captions: [Caption] = []

  /// Columns with captions are at least this wide, about 16 characters.
  private static let minCaptionWidth = 96
  /// Pixels between an image and its caption.
  private static let textGap = 4

  init(_ grid: ImageGrid) {
    precondition(
      grid.padding >= 0 && grid.magnification > 0 && grid.captionLineLimit > 0,
      "a grid cannot have padding \(grid.padding), magnification \(grid.magnification) and "
        + "captions of \(grid.captionLineLimit) lines")
    let count = grid.images.count
    let columnCount = min(grid.columnCount, count)
    let hasCaptions = grid.captions.contains { !$0.isEmpty }

    // 1. Columns as wide as their widest image.
    var columnWidths = [Int](
      repeating: hasCaptions ? ImageGridLayout.minCaptionWidth : 1, count: columnCount)
    for (index, image) in grid.images.enumerated() {
      let column = index % columnCount
      columnWidths[column] = max(columnWidths[column], image.width * grid.magnification)
    }
    width = columnWidths.reduce(grid.padding) { $0 + $1 + grid.padding }

    // 2. One size of text for the whole grid: some 45 characters in a column, none too small.
    let meanWidth = Double(columnWidths.reduce(0, +)) / Double(columnCount)
    let textSize = max(11, (meanWidth / 24).rounded())
    var y = grid.padding + addTitle(of: grid, captionSize: textSize)

    // 3. Rows as high as their highest image and their longest caption.
    for rowStart in stride(from: 0, to: count, by: columnCount) {
      let row = rowStart..<min(count, rowStart + columnCount)
      let imageHeight = row.map { grid.images[$0].height * grid.magnification }.max() ?? 0
      var captionHeight = 0
      var x = grid.padding
      for index in row {
        let image = grid.images[index]
        let columnWidth = columnWidths[index - rowStart]
        places.append(
          (
            x + (columnWidth - image.width * grid.magnification) / 2,
            y + (imageHeight - image.height * grid.magnification) / 2
          ))
        if index < grid.captions.count {
          let space = min(columnWidth, Canvas.maxSide)
          let text = Text(
            grid.captions[index], size: textSize, width: Double(space),
            lineLimit: grid.captionLineLimit, alignment: .center)
          let height = add(
            text, x: x + (columnWidth - space) / 2, y: y + imageHeight + ImageGridLayout.textGap,
            width: space)
          captionHeight = max(captionHeight, height)
        }
        x += columnWidth + grid.padding
      }
      y += imageHeight + grid.padding
      if captionHeight > 0 { y += captionHeight + 2 * ImageGridLayout.textGap }
    }
    height = y
  }

  /// Adds a text, unless it is empty, and gives its height.
  private mutating func add(_ text: Text, x: Int, y: Int, width: Int) -> Int {
    guard text.lineCount > 0 else { return 0 }
    let height = min(Int(text.size.y.rounded(.up)), Canvas.maxSide)
    captions.append(Caption(text: text, x: x, y: y, width: width, height: height))
    return height
  }

  /// Adds the title, in larger letters if its lines then fit, and gives the height that it
  /// takes.
  private mutating func addTitle(of grid: ImageGrid, captionSize: Double) -> Int {
    guard let title = grid.title else { return 0 }
    let space = min(width - 2 * grid.padding, Canvas.maxSide)
    func text(_ size: Double) -> Text {
      Text(title, size: size, width: Double(space), lineLimit: grid.captionLineLimit)
    }
    let large = text((1.4 * captionSize).rounded())
    let height = add(
      large.isCut || large.isWrapped ? text(captionSize) : large,
      x: grid.padding, y: grid.padding, width: space)
    return height == 0 ? 0 : height + grid.padding
  }
}
