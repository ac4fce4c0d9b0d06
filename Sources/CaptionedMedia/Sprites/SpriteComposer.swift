import Files
import Media
import Tensors

/// Paints characters of sprite sheets, and knows what of them can be seen.
public struct SpriteComposer: Sendable {
  /// What the folder holds.
  public let catalog: SpriteCatalog
  /// Frames of each clip.
  public let frameCount: Int
  /// The color behind the characters.
  public let background: Color

  /// What is neither like the black outlines nor like white hair.
  public static let grey = Color(0x808080)

  /// The side of a cell of the sheets, in pixels.
  public static let cellSize = 64
  /// The part of a cell that is shown: all that any sheet draws lies in it.
  static let window = (x: 4, y: 8, size: 56)
  /// An item of which less than this fraction is seen in a clip is not mentioned: a coat of mail
  /// hides four fifths of the trousers.
  static let visibleFraction = 0.23

  /// The visible pixels of an item, for each action and frame of a clip.
  private let layers: [SpriteItem: [[Layer]]]

  /// Reads `captions.tsv`, `actions.tsv` and a sheet `<layer>/<file>` of cells of 64 x 64 pixels
  /// for each item.
  ///
  /// - Throws: `FileError` if a table cannot be read, `CaptionedDataError` naming the file if one is
  ///   broken, or a sheet is missing or too small.
  public init(
    folder: String, frameCount: Int = 8, background: Color = SpriteComposer.grey
  ) throws {
    precondition(frameCount > 0, "clips of \(frameCount) frames")
    catalog = try SpriteCatalog(folder: folder)
    self.frameCount = frameCount
    self.background = background
    let size = (
      width: (catalog.actions.map(\.frameCount).max() ?? 0) * Self.cellSize,
      height: ((catalog.actions.last?.row ?? 0) + 1) * Self.cellSize
    )
    var layers: [SpriteItem: [[Layer]]] = [:]
    for item in catalog.items {
      let path = "\(folder)/\(item.slot.rawValue)/\(item.file)"
      let sheet: Image
      do throws(ImageFileError) {
        sheet = try Image(contentsOfFile: path)
      } catch {
        throw CaptionedDataError(file: folder + "/captions.tsv", problem: "\(error)")
      }
      guard sheet.width >= size.width, sheet.height >= size.height else {
        throw CaptionedDataError(
          file: path,
          problem:
            "is \(sheet.width)x\(sheet.height), too small for the rows of actions.tsv, which "
            + "need \(size.width)x\(size.height)")
      }
      layers[item] = catalog.actions.map { action in
        let cells = (0..<action.frameCount).map { Self.layer(of: sheet, action: action, frame: $0) }
        return action.frames(count: frameCount).map { cells[$0] }
      }
    }
    self.layers = layers
  }

  private static func layer(of sheet: Image, action: SpriteAction, frame: Int) -> Layer {
    Layer(
      sheet, x: cellSize * frame + window.x, y: cellSize * action.row + window.y,
      width: window.size, height: window.size)
  }

  private func layers(of item: SpriteItem, _ action: SpriteAction) -> [Layer] {
    guard let rows = layers[item], let index = catalog.actions.firstIndex(of: action) else {
      preconditionFailure("\(item) in \(action) is not in these sheets")
    }
    return rows[index]
  }

  /// Whether a sheet draws the item in every frame of an action.
  public func isDrawn(_ item: SpriteItem, in action: SpriteAction) -> Bool {
    layers(of: item, action).allSatisfy { !$0.pixels.isEmpty }
  }

  /// The slots of which enough is seen in the clip to be mentioned.
  public func visibleSlots(of sprite: Sprite) -> Set<SpriteSlot> {
    let pixelCount = Self.window.size * Self.window.size
    var counts = [Int](repeating: 0, count: sprite.items.count)
    for frame in 0..<frameCount {
      // Of the layer that is seen at each position.
      var top = [Int](repeating: -1, count: pixelCount)
      for (index, item) in sprite.items.enumerated() {
        for pixel in layers(of: item, sprite.action)[frame].pixels { top[pixel.position] = index }
      }
      for index in top where index >= 0 { counts[index] += 1 }
    }
    var visible: Set<SpriteSlot> = []
    for (index, item) in sprite.items.enumerated() {
      let total = layers(of: item, sprite.action).reduce(0) { $0 + $1.pixels.count }
      if Double(counts[index]) >= Self.visibleFraction * Double(total) { visible.insert(item.slot) }
    }
    return visible
  }

  /// Paints a character, frame by frame, as RGB of the given size.
  public func frames(of sprite: Sprite, width: Int, height: Int) -> [Image] {
    (0..<frameCount).map { frame in
      let side = Self.window.size
      var image = Image(width: side, height: side, filledWith: background)
      image.withUnsafeMutableSamples { samples in
        for item in sprite.items { layers(of: item, sprite.action)[frame].draw(on: samples) }
      }
      return image.resized(width: width, height: height, method: .area)
    }
  }
}
