import Foundation
import TestSupport
import Testing

@testable import Media

/// What is in a video that another program wrote.
private struct GoldenVideo: Decodable {
  var width: Int
  var height: Int
  var frameRate: Double
  var duration: Double
  var times: [Double]
  /// Of lossless files.
  var frames: [GoldenImage]?
  /// Of each frame of the others: the colors of its quadrants, row by row.
  var colors: [[[UInt8]]]?
}

/// GIF and APNG as Pillow reads them, MP4, WebM, AVI and Matroska with what FFmpeg was given.
@Test func videosOfOtherProgramsAreRead() throws {
  let goldens = try Goldens.read("videos.json", as: [String: GoldenVideo].self)
  #expect(goldens.count == 11)
  for (name, golden) in goldens {
    let reader = try VideoReader(
      path: Goldens.folder.appendingPathComponent("videos/\(name)").path)
    #expect(reader.width == golden.width && reader.height == golden.height, "\(name)")
    #expect(abs(reader.frameRate - golden.frameRate) < 1e-6, "\(name): \(reader.frameRate)")
    #expect(abs(reader.duration - golden.duration) < 2e-3, "\(name): \(reader.duration)")
    try #require(reader.frameCount == golden.times.count, "\(name): \(reader.frameCount)")
    for (time, expected) in zip(reader.times, golden.times) {
      #expect(abs(time - expected) < 1e-3, "\(name): \(reader.times)")
    }
    let frames = try reader.frames()
    if let expected = golden.frames { #expect(frames == expected.map(\.image), "\(name)") }
    guard let colors = golden.colors else { continue }
    for (frame, colors) in zip(frames, colors) {
      let middles = [8, 24].flatMap { y in [12, 36].map { x in Array(frame[x, y]) } }
      for (found, expected) in zip(middles.joined(), colors.joined()) {
        #expect(abs(Int(found) - Int(expected)) <= 6, "\(name): \(middles), not \(colors)")
      }
    }
  }
}

/// Attune's own files: exact but for MP4, which stays near.
@Test(arguments: ["clip.mp4", "clip.gif", "clip.png"], [1, 2, 9])
func clipsComeBack(name: String, frameCount: Int) throws {
  let folder = try TemporaryFolder()
  let (width, height) = name == "clip.mp4" ? (64, 48) : (33, 17)
  let frames = (0..<frameCount).map { index in
    let frame = clipFrame(index, width: width, height: height)
    return name == "clip.gif" ? frame.withFewColors : frame
  }
  try Clip(frames: frames, frameRate: 8).write(to: folder.file(name))
  let read = try Clip(contentsOfFile: folder.file(name))
  // A GIF or PNG of one frame is a still image.
  if frameCount > 1 || name == "clip.mp4" { #expect(abs(read.frameRate - 8) < 1e-9) }
  try #require(read.frames.count == frameCount)
  if name == "clip.mp4" {
    #expect(
      peakSignalToNoise(read.frames.flatMap(\.samples), frames.flatMap(\.samples)) >= 38)
  } else {
    #expect(read.frames == frames)
  }
}

/// A wrong matrix is off by ten levels and more.
@Test(arguments: [64, 720])
func colorsOfMP4ComeBack(height: Int) throws {
  let folder = try TemporaryFolder()
  let colors = [0xE02020, 0x20C040, 0x2040E0, 0xF0F0F0, 0x101010, 0x808080].map { Color($0) }
  let clip = Clip(
    frames: colors.map { Image(width: 32, height: height, filledWith: $0) }, frameRate: 24)
  try clip.write(to: folder.file("colors.mp4"))
  let frames = try VideoReader(path: folder.file("colors.mp4")).frames()
  for (frame, color) in zip(frames, colors) {
    for (sample, wanted) in zip(frame[16, height / 2], [color.red, color.green, color.blue]) {
      #expect(abs(Int(sample) - Int(wanted)) <= 4, "\(color.hexadecimal) of \(height) rows")
    }
  }
}

@Test func framesAreChosenEvenlyByStrideAndByTime() throws {
  #expect(VideoReader.indices(count: 1, of: 9) == [0])
  #expect(VideoReader.indices(count: 2, of: 9) == [0, 8])
  #expect(VideoReader.indices(count: 4, of: 9) == [0, 3, 5, 8])
  #expect(VideoReader.indices(count: 3, of: 10) == [0, 5, 9])  // 4.5 is rounded up
  #expect(VideoReader.indices(count: 5, of: 2) == [0, 0, 1, 1, 1])
  #expect(VideoReader.indices(count: 3, of: 1) == [0, 0, 0])

  let frames = (0..<10).map { Image(width: 5, height: 3, filledWith: Color(UInt32($0) * 0x171717)) }
  let folder = try TemporaryFolder()
  try Clip(frames: frames, frameRate: 10).write(to: folder.file("steps.png"))
  let reader = try VideoReader(path: folder.file("steps.png"))
  #expect(reader.frameCount == 10 && reader.frameRate == 10)
  #expect(abs(reader.duration - 1) < 1e-6)
  #expect(try reader.frames(count: 4) == [0, 3, 6, 9].map { frames[$0] })
  #expect(try reader.frames(count: 20).count == 20)
  #expect(try reader.frames(stride: 4) == [0, 4, 8].map { frames[$0] })
  #expect(try reader.frames(at: [7, 0, 7]) == [frames[7], frames[0], frames[7]])
  #expect(try reader.frames(at: []).isEmpty)
  #expect(try reader.frames(rate: 10) == frames)
  #expect(try reader.frames(rate: 5) == [0, 2, 4, 6, 8].map { frames[$0] })
  #expect(try reader.frames(rate: 20) == frames.flatMap { [$0, $0] })
  #expect(try reader.frames(rate: 0.1) == [frames[0]])
  #expect(throws: VideoError.self) { try reader.frames(rate: 1e9) }

  // Shown for 0.03, 0.07, 0.2 and 0.1 seconds.
  let uneven = try VideoReader(
    path: Goldens.folder.appendingPathComponent("videos/transparent.gif").path)
  let shown = try uneven.frames()
  #expect(abs(uneven.frameRate - 10) < 1e-6)
  #expect(try uneven.frames(rate: 20) == [0, 1, 2, 2, 2, 2, 3, 3].map { shown[$0] })
}

@Test func transparentPixelsShowTheReadersBackground() throws {
  let path = Goldens.folder.appendingPathComponent("videos/transparent.gif").path
  let over = { (color: Color) in try VideoReader(path: path, background: color).frames()[0] }
  #expect(Array(try over(Color(0x3060C0))[12, 8]) == [0x30, 0x60, 0xC0])
  #expect(Array(try over(.white)[12, 8]) == [255, 255, 255])
  #expect(Array(try over(.white)[0, 2]) == Array(try over(.black)[0, 2]))
}

@Test func stillPNGsAreVideosOfOneFrame() throws {
  let image = randomImage(width: 7, height: 5, channelCount: 3, seed: 3)
  let reader = try VideoReader(bytes: image.pngBytes())
  #expect(reader.frameCount == 1)
  #expect(try reader.frames(count: 3) == [image, image, image])
}

/// Frames that are read onwards, from the beginning again, and after an earlier read of the same.
@Test func cursorsReadOnwardsAndAnew() throws {
  let folder = try TemporaryFolder()
  let frames = (0..<10).map { Image(width: 5, height: 3, filledWith: Color(UInt32($0) * 0x171717)) }
  try Clip(frames: frames, frameRate: 10).write(to: folder.file("steps.png"))
  let reader = try VideoReader(path: folder.file("steps.png"))
  #expect(reader.startTime == 0)
  let cursor = VideoCursor(reader)
  for indices in [[0, 1], [2, 4, 3], [], [5], [9, 9], [1, 0], [1], [2, 8], [0, 9]] {
    #expect(try cursor.frames(at: indices) == indices.map { frames[$0] }, "\(indices)")
  }
}
