/// Pictures side by side in columns, each with its caption below.
public struct ImageGrid: Sendable {
  /// The pictures, row by row; those with alpha are laid over the background.
  public var images: [Image]
  /// Captions in the order of the pictures; fewer than pictures leave the last ones without.
  public var captions: [String]
  /// Pictures in a row.
  public var columnCount: Int
  /// A line above the grid.
  public var title: String?
  /// Pixels between pictures and around the grid.
  public var padding = 8
  /// Every pixel becomes a square of this many pixels; for sprites and latents.
  public var magnification = 1
  /// The most lines of a caption; longer ones end in an ellipsis.
  public var captionLineLimit = 3
  /// The color between pictures.
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
    var canvas = Image(width: layout.width, height: layout.height, filledWith: background)
    for line in layout.lines {
      BitmapFont.standard.draw(
        line.text, on: &canvas, x: line.x, y: line.y, scale: line.scale, color: textColor)
    }
    for (image, place) in zip(images, layout.places) {
      let picture =
        magnification == 1
        ? image
        : image.resized(
          width: image.width * magnification, height: image.height * magnification,
          method: .nearest)
      canvas.draw(picture, x: place.x, y: place.y)
    }
    return canvas
  }
}
