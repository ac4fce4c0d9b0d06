import ArgumentParser
import Media
import Runs

/// `attune image grid`: PNG files side by side in one PNG.
struct ImageGridCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "grid",
    abstract: "Lay PNG files out in columns, with captions.",
    discussion: """
      Example:
        attune image grid before.png after.png --columns 2 --output grid.png \\
          --captions "before, reward 0.21" "after, reward 0.87"
      """)

  @Argument(help: "The PNG files, row by row.", completion: .file(extensions: ["png"]))
  var images: [String]

  @Option(help: "Images in a row; as many as make the grid about square if not given.")
  var columns: Int?

  @Option(
    name: .shortAndLong, help: "The PNG file to write.", completion: .file(extensions: ["png"]))
  var output: String

  @Option(
    parsing: .upToNextOption,
    help: "A text under each image, in their order; put it after the files.")
  var captions: [String] = []

  @Option(help: "A line above the grid.")
  var title: String?

  @Option(help: "Pixels between images.")
  var padding = 8

  @Option(help: "Show every pixel as a square of this many pixels.")
  var magnify = 1

  @Option(help: "The color between images, RRGGBB.")
  var background = "ffffff"

  @Flag(help: "Print errors only.")
  var quiet = false

  func validate() throws {
    try validateOutput(output, ending: ".png")
    guard !images.isEmpty else { throw ValidationError("name at least one PNG file") }
    guard columns.map({ (1...10_000).contains($0) }) ?? true else {
      throw ValidationError("--columns must be 1 to 10000")
    }
    guard (0...1_000).contains(padding) else {
      throw ValidationError("--padding must be 0 to 1000")
    }
    guard (1...64).contains(magnify) else { throw ValidationError("--magnify must be 1 to 64") }
    guard captions.isEmpty || captions.count == images.count else {
      throw ValidationError(
        "\(images.count) images need as many --captions, not \(captions.count); quote each one")
    }
    guard Color(hexadecimal: background) != nil else {
      throw ValidationError("--background must be a color such as ffffff, not '\(background)'")
    }
  }

  func run() throws {
    var grid = ImageGrid(
      try images.map { try Image(contentsOfFile: $0) }, columnCount: columns, captions: captions)
    grid.title = title
    grid.padding = padding
    grid.magnification = magnify
    if let color = Color(hexadecimal: background) {
      grid.background = color
      if color.isDark { grid.textColor = .white }
    }
    let size = grid.size
    guard size.width * size.height <= Image.pixelCountLimit else {
      throw ImageCommandError(
        description:
          "the grid would have \(size.width)x\(size.height) pixels; use fewer or smaller images")
    }
    try grid.rendered().writePNG(to: output)
    if !quiet {
      StandardError.write(
        "wrote \(output): \(images.count.counting("image")), \(size.width)x\(size.height)")
    }
  }
}
