import ArgumentParser
import Media
import Runs

/// `attune image video`: PNG files one after the other in an MP4.
struct ImageVideoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "video",
    abstract: "Make an MP4 video of PNG files, one frame each.",
    discussion: """
      Example:
        attune image video frames/*.png --rate 24 --output out.mp4
      """)

  @Argument(
    help: "The PNG files in the order of the frames.", completion: .file(extensions: ["png"]))
  var images: [String]

  @Option(help: "Frames a second.")
  var rate = 24.0

  @Option(
    name: .shortAndLong, help: "The MP4 file to write.", completion: .file(extensions: ["mp4"]))
  var output: String

  @Option(help: "Fit every frame into WIDTHxHEIGHT, with its proportions kept.")
  var size: FrameSize?

  @Option(help: "The method of scaling images: \(ResizeMethod.names).")
  var resize = ResizeMethod.bicubic

  @Option(help: "The constant rate factor, 1 (best) to 51.")
  var quality = 18

  @Option(help: "The encoder: \(VideoSettings.Codec.names).")
  var codec = VideoSettings.Codec.automatic

  @Flag(help: "Print errors only.")
  var quiet = false

  func validate() throws {
    try validateOutput(output, ending: ".mp4")
    guard !images.isEmpty else { throw ValidationError("name at least one PNG file") }
  }

  func run() throws {
    var writer: VideoWriter?
    for (index, path) in images.enumerated() {
      var image = try Image(contentsOfFile: path)
      if let size {
        image = image.rgb(over: .black)
          .fitted(width: size.width, height: size.height, method: resize)
      }
      if writer == nil {
        writer = try VideoWriter(
          path: output, width: image.width, height: image.height,
          settings: VideoSettings(frameRate: rate, quality: quality, codec: codec))
      }
      guard let writer else { return }
      guard image.width == writer.width && image.height == writer.height else {
        throw ImageCommandError(
          description:
            "\(path) (frame \(index + 1)) is \(image.width)x\(image.height), the first is "
            + "\(writer.width)x\(writer.height); scale them with --size WIDTHxHEIGHT")
      }
      try writer.append(image)
    }
    try writer?.finish()
    if !quiet, let writer {
      StandardError.write(
        "wrote \(output): \(writer.frameCount) frames of \(writer.width)x\(writer.height) "
          + "at \(rate) a second")
    }
  }
}

/// A frame size on the command line, such as 640x480.
struct FrameSize: ExpressibleByArgument {
  var width: Int, height: Int

  init?(argument: String) {
    let parts = argument.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let width = parts[0], let height = parts[1],
      (1...16_384).contains(width), (1...16_384).contains(height)
    else { return nil }
    (self.width, self.height) = (width, height)
  }
}

extension ResizeMethod: ExpressibleByArgument {
  static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}

extension VideoSettings.Codec: ExpressibleByArgument {
  static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
