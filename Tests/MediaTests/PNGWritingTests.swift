import Foundation
import TestSupport
import Testing

@testable import Media

@Test(arguments: [1, 3, 4], [(1, 1), (7, 5), (64, 33)])
func pngsReadBackAsTheyWere(channelCount: Int, size: (Int, Int)) throws {
  let image = randomImage(width: size.0, height: size.1, channelCount: channelCount, seed: 3)
  #expect(try Image(pngBytes: image.pngBytes()) == image)
}

@Test func pillowReadsTheSamePixels() throws {
  guard let python = Programs.pythonWithPillow else {
    print("skipped: no python3 with Pillow in the path (ATTUNE_PYTHON may name one)")
    return
  }
  let folder = try TemporaryFolder()
  let program = """
    import sys
    from PIL import Image
    image = Image.open(sys.argv[1])
    sys.stdout.buffer.write(image.mode.encode() + b'\\n' + image.tobytes())
    """
  for (channelCount, mode) in [(1, "L"), (3, "RGB"), (4, "RGBA")] {
    let image = randomImage(width: 31, height: 17, channelCount: channelCount, seed: 4)
    try image.writePNG(to: folder.file("image.png"))
    let seen = try Programs.output(python, ["-c", program, folder.file("image.png")])
    #expect(seen == Data(mode.utf8) + Data("\n".utf8) + Data(image.samples))
  }
}

@Test func ffmpegReadsTheSamePixels() throws {
  guard let ffmpeg = Programs.find("ffmpeg") else {
    print("skipped: ffmpeg is not installed")
    return
  }
  let folder = try TemporaryFolder()
  let image = randomImage(width: 31, height: 17, channelCount: 3, seed: 5)
  try image.writePNG(to: folder.file("image.png"))
  let seen = try Programs.output(
    ffmpeg, ["-i", folder.file("image.png"), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
  #expect(seen == Data(image.samples))
}

@Test func writingReplacesTheOldFileAndLeavesNothingElse() throws {
  let folder = try TemporaryFolder()
  let path = folder.file("image.png")
  let first = randomImage(width: 4, height: 4, channelCount: 3, seed: 6)
  let second = randomImage(width: 5, height: 3, channelCount: 1, seed: 6)
  try first.writePNG(to: path)
  try second.writePNG(to: path)
  #expect(try Image(contentsOfFile: path) == second)
  #expect(try folder.contents == ["image.png"])
}

@Test func unwritablePlacesAreNamed() throws {
  let folder = try TemporaryFolder()
  let path = folder.file("missing/image.png")
  #expect(throws: ImageFileError.unwritable(file: path, reason: "No such file or directory")) {
    try Image(width: 1, height: 1, filledWith: .white).writePNG(to: path)
  }
  let taken = folder.file("taken")
  try FileManager.default.createDirectory(atPath: taken, withIntermediateDirectories: true)
  #expect(throws: ImageFileError.unwritable(file: taken, reason: "it is a folder; name a file")) {
    try Image(width: 1, height: 1, filledWith: .white).writePNG(to: taken)
  }
  #expect(try folder.contents == ["taken"])
}

/// FilesTests have more about links, devices and what a killed process leaves.
@Test func imagesAreWrittenThroughLinksAndNotToPipes() throws {
  let folder = try TemporaryFolder()
  let link = folder.file("link.png")
  try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "image.png")
  let image = randomImage(width: 4, height: 4, channelCount: 3, seed: 7)
  try image.writePNG(to: link)
  #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "image.png")
  #expect(try Image(contentsOfFile: folder.file("image.png")) == image)

  let pipe = folder.file("pipe")
  #expect(mkfifo(pipe, 0o600) == 0)
  let reason = "it is a device, a pipe or a socket; name a file"
  #expect(throws: ImageFileError.unwritable(file: pipe, reason: reason)) {
    try image.writePNG(to: pipe)
  }
  #expect(try folder.contents == ["image.png", "link.png", "pipe"])
}
