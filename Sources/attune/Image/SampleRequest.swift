import Files
import Media
import TextToImage

/// Some pictures of each of some prompts.
struct SampleRequest {
  let prompts: [String]
  /// Pictures of each.
  let count: Int
  /// Of the first picture of each prompt; the next have the seeds that follow.
  let seed: UInt64

  /// A prompt for each picture.
  var imagePrompts: [String] {
    prompts.flatMap { [String](repeating: $0, count: count) }
  }

  /// A seed for each picture.
  var imageSeeds: [UInt64] {
    prompts.flatMap { _ in (0..<count).map { seed &+ UInt64($0) } }
  }

  /// The pictures with a row for each prompt; those of one prompt about square, below it.
  func grid(_ images: [Image], magnification: Int?, hasCaptions: Bool = true) -> ImageGrid {
    var grid = ImageGrid(images, columnCount: prompts.count > 1 ? count : nil)
    // Small pictures are shown at about 128 pixels.
    grid.magnification = magnification ?? max(1, min(8, 128 / max(1, images[0].width)))
    guard hasCaptions else { return grid }
    if prompts.count == 1 { grid.title = prompts[0] } else { grid.captions = imagePrompts }
    return grid
  }
}
