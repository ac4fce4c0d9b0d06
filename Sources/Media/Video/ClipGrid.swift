/// Clips that play side by side, each with its caption below.
///
/// A clip that is over holds its last frame until the longest is over; an image stands still. Clips
/// of different rates play at their own speed.
public struct ClipGrid: Sendable {
  /// The clips, row by row; at least one.
  public let clips: [Media]
  /// Columns, captions, magnification and the like; what images it has does not matter.
  public var layout: ImageGrid
  /// Frames a second; the highest rate of the clips unless set.
  public var frameRate: Double

  /// Lays out clips in rows of `columnCount`; without one, the grid is about square.
  ///
  /// The magnification is that of `magnification(width:)` for the first clip.
  public init(_ clips: [Media], columnCount: Int? = nil, captions: [String] = []) {
    var layout = ImageGrid(
      clips.map { $0.frames[0] }, columnCount: columnCount, captions: captions)
    layout.magnification = ClipGrid.magnification(width: clips[0].width)
    self.init(clips, layout: layout)
  }

  /// Lays out clips as `layout` does its images, which may be any of as many.
  public init(_ clips: [Media], layout: ImageGrid) {
    precondition(!clips.isEmpty, "a grid has at least one clip")
    precondition(
      layout.captions.count <= clips.count,
      "a grid of \(clips.count) clips cannot have \(layout.captions.count) captions")
    self.clips = clips
    self.layout = layout
    frameRate = clips.compactMap(\.frameRate).max() ?? 1
  }

  /// How often the pixels of small clips are repeated so that they are about 128 pixels wide: 1 to
  /// 8 times.
  public static func magnification(width: Int) -> Int { max(1, min(8, 128 / max(1, width))) }

  /// The size of a frame of the grid in pixels.
  public var size: (width: Int, height: Int) { grid.size }

  /// The frames of the grid, until the longest clip is over; each is drawn when it is taken.
  public var frames: ClipGridFrames { ClipGridFrames(self) }

  /// The frames of each clip side by side in a row of their own, as a still image.
  public var rows: ImageGrid {
    var rows = layout
    rows.images = clips.map(\.still)
    rows.columnCount = 1
    return rows
  }

  /// Writes a file that plays the grid: an MP4, a GIF or an animated PNG, as the ending of the path
  /// says; it appears under its name only when it is complete.
  ///
  /// - Throws: `VideoError`.
  public func write(to path: String) throws(VideoError) {
    let frames = frames
    let writer = try VideoWriter(
      path: path, width: size.width, height: size.height,
      settings: VideoSettings(frameRate: frameRate))
    for frame in frames { try writer.append(frame) }
    try writer.finish()
  }

  /// The grid of the first frames.
  fileprivate var grid: ImageGrid {
    var grid = layout
    grid.images = clips.map { $0.frames[0] }
    return grid
  }
}

/// The frames of a grid of clips, drawn one at a time.
public struct ClipGridFrames: RandomAccessCollection {
  private let clips: [Media]
  private let frameRate: Double
  private let grid: ImageGrid
  private let layout: ImageGridLayout
  /// What stays the same.
  private let text: Image

  /// The number of the first frame.
  public let startIndex = 0
  /// How many frames there are.
  public let endIndex: Int

  fileprivate init(_ clipGrid: ClipGrid) {
    clips = clipGrid.clips
    grid = clipGrid.grid
    frameRate = clipGrid.frameRate
    layout = ImageGridLayout(grid)
    text = grid.renderedText(layout)
    let (clips, frameRate) = (clips, frameRate)
    endIndex =
      clips.map { clip in
        guard let ownRate = clip.frameRate else { return 1 }
        // Rates that should divide evenly may not, by a rounding error.
        return Swift.max(
          1, Int((Double(clip.frames.count) * frameRate / ownRate - 1e-6).rounded(.up)))
      }.max() ?? 1
  }

  /// Draws a frame: of each clip what it shows at that time.
  public subscript(index: Int) -> Image {
    precondition(indices.contains(index), "a grid of \(count) frames has no frame \(index)")
    let images = clips.map { clip in
      let time = Double(index) / frameRate
      let frame = Int(time * (clip.frameRate ?? 0) + 1e-6)
      return clip.frames[Swift.min(frame, clip.frames.count - 1)]
    }
    var frame = text
    grid.draw(images, on: &frame, layout)
    return frame
  }
}
