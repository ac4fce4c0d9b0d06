import Foundation
import TestSupport
import Testing

@testable import Media

/// Frames with as many colors in all.
private func frames(colorCount: Int, frameCount: Int, width: Int, height: Int) -> [Image] {
  (0..<frameCount).map { frame in
    Image(width: width, height: height, channelCount: 3) { samples in
      for index in 0..<width * height {
        // Odd steps reach every color; they are far apart and near in turn.
        let number = (index * 7 + frame * 11) % colorCount
        samples[3 * index] = UInt8(number & 255)
        samples[3 * index + 1] = UInt8(number * 37 & 255)
        samples[3 * index + 2] = UInt8(number >> 8)
      }
    }
  }
}

private func write(_ frames: [Image], to path: String, rate: Double = 10) throws {
  try Clip(frames: frames, frameRate: rate).write(to: path)
}

@Test func endingsPickTheContainer() throws {
  typealias Container = VideoSettings.Container
  let kinds: [(String, Container?)] = [
    ("a.mp4", .mp4), ("a.GIF", .gif), ("a.b/c.png", .apng), ("c.apng", .apng), ("a.webm", nil),
    ("a.gif/b", nil), ("gif", nil), (".", nil), ("", nil),
  ]
  for (path, container) in kinds { #expect(Container(path: path) == container, "\(path)") }

  let folder = try TemporaryFolder()
  let two = frames(colorCount: 9, frameCount: 2, width: 16, height: 16)
  let starts: [(String, [UInt8])] = [
    ("a.gif", Array("GIF89a".utf8)), ("a.png", [0x89, 0x50, 0x4E, 0x47]),
  ]
  for (name, start) in starts {
    try write(two, to: folder.file(name))
    #expect(try folder.bytes(name).starts(with: start))
  }
  // What is set counts more than the ending.
  try Clip(frames: two, frameRate: 8).writeMP4(to: folder.file("b.gif"))
  #expect(try folder.bytes("b.gif")[4..<8].elementsEqual("ftyp".utf8))

  func message(_ name: String, _ settings: VideoSettings = VideoSettings()) -> String {
    let error = #expect(throws: VideoError.self) {
      _ = try VideoWriter(path: folder.file(name), width: 4, height: 4, settings: settings)
    }
    return error.map(String.init(describing:)) ?? ""
  }
  #expect(message("a.webm").contains(".webm; it must be .mp4, .gif or .png"))
  #expect(message("clip").contains("missing; it must be .mp4, .gif or .png"))
  #expect(message("a.gif", VideoSettings(frameRate: 60)).contains("50 frames a second in a GIF"))
  #expect(message("a.gif", VideoSettings(codec: .h264)).contains("the codec is h264"))
  #expect(try folder.contents == ["a.gif", "a.png", "b.gif"])
}

/// Up to 256 colors are exact, and sizes stay odd.
@Test(arguments: [1, 2, 16, 255, 256], [(1, 1), (33, 17), (320, 3)])
func gifsOfFewColorsAreExact(colorCount: Int, size: (Int, Int)) throws {
  let folder = try TemporaryFolder()
  let frames = frames(colorCount: colorCount, frameCount: 5, width: size.0, height: size.1)
  try write(frames, to: folder.file("clip.gif"))
  #expect(try VideoReader(path: folder.file("clip.gif")).frames() == frames)
}

/// A square that moves over a background, stands still, and goes away.
@Test func spritesAreExactInEveryAnimation() throws {
  let folder = try TemporaryFolder()
  let frames = [0, 3, 3, 9, 40].map { x in
    var frame = Image(width: 31, height: 13, filledWith: Color(0x204060))
    frame.draw(Image(width: 5, height: 4, filledWith: Color(0xF0C010)), x: x, y: x / 2)
    return frame
  }
  for name in ["clip.gif", "clip.png"] {
    try write(frames, to: folder.file(name))
    let reader = try VideoReader(path: folder.file(name))
    #expect(try reader.frames() == frames, "\(name)")
    #expect(reader.frameRate == 10)
    #expect(abs(reader.duration - 0.5) < 1e-6, "\(name): \(reader.duration)")
  }
}

@Test func gifsOfManyColorsStayNear() throws {
  let folder = try TemporaryFolder()
  let frames = (0..<6).map { clipFrame($0, width: 96, height: 64) }
  let palette = ClipPalette(frames)
  #expect(!palette.isExact && palette.colors.count == 255)
  #expect(Set(palette.colors).count == 255)
  try write(frames, to: folder.file("clip.gif"))
  let read = try VideoReader(path: folder.file("clip.gif")).frames()
  let ratio = peakSignalToNoise(read.flatMap(\.samples), frames.flatMap(\.samples))
  print("GIF of smooth colors: \(ratio) dB")
  #expect(ratio >= 33)
}

/// Colors so near that a box of the histogram holds them all have one mean.
@Test func palettesOfNearColorsAreTheirMean() {
  let many = Image(width: 512, height: 1, channelCount: 3) { samples in
    for index in 0..<512 {
      samples[3 * index] = UInt8(index % 4)
      samples[3 * index + 1] = UInt8(index / 4 % 4)
      samples[3 * index + 2] = UInt8(index / 16 % 32)
    }
  }
  let palette = ClipPalette([many])
  #expect(!palette.isExact)
  #expect(palette.colors.count == 8)
  #expect(palette.colors.allSatisfy { (1...2).contains($0.red) && (1...2).contains($0.green) })
}

@Test(arguments: [(1, 1), (33, 17), (2, 64)])
func animatedPNGsAreExact(size: (Int, Int)) throws {
  let folder = try TemporaryFolder()
  let (width, height) = size
  for channelCount in [1, 3, 4] {
    let frames = (0..<4).map {
      randomImage(width: width, height: height, channelCount: channelCount, seed: UInt64($0))
    }
    try write(frames, to: folder.file("clip.png"))
    for background in [Color.black, Color(0x3060C0)] {
      let reader = try VideoReader(path: folder.file("clip.png"), background: background)
      #expect(try reader.frames() == frames.map { $0.rgb(over: background) }, "\(channelCount)")
    }
    // Other programs show the first frame.
    let still = try Image(contentsOfFile: folder.file("clip.png"))
    #expect(channelCount == 4 ? still == frames[0] : still == frames[0].rgb())
  }
}

/// The first frame decides whether there is alpha.
@Test func laterTransparencyIsLaidOverTheBackground() throws {
  let folder = try TemporaryFolder()
  let frames = [
    Image(width: 6, height: 4, filledWith: .white),
    randomImage(width: 6, height: 4, channelCount: 4, seed: 4),
  ]
  for name in ["clip.png", "clip.gif"] {
    let writer = try VideoWriter(
      path: folder.file(name), width: 6, height: 4,
      settings: VideoSettings(frameRate: 10, background: Color(0x3060C0)))
    for frame in frames { try writer.append(frame) }
    try writer.finish()
    #expect(writer.frameCount == 2)
    #expect(
      try VideoReader(path: folder.file(name)).frames()
        == frames.map { $0.rgb(over: Color(0x3060C0)) })
  }
}

@Test(arguments: ["clip.gif", "clip.png"])
func animationsAppearWhenFinishedAndAreEqual(name: String) throws {
  let folder = try TemporaryFolder()
  let path = folder.file(name)
  let frames = (0..<3).map { clipFrame($0, width: 40, height: 30) }
  let files = try (0..<2).map { _ in
    try write(frames, to: path)
    return try folder.bytes(name)
  }
  #expect((files[0] == files[1]) as Bool)
  #expect(try folder.contents == [name])
  do {
    let writer = try VideoWriter(path: path, width: 40, height: 30)
    try writer.append(frames[2])
    #expect(try folder.contents.count == 2)
    let error = #expect(throws: VideoError.self) {
      try writer.append(clipFrame(0, width: 4, height: 4))
    }
    #expect(String(describing: error!).contains("frame 1 of"))
  }
  #expect(throws: VideoError.noFrames(file: path)) {
    try VideoWriter(path: path, width: 40, height: 30).finish()
  }
  #expect(try folder.contents == [name])
  #expect((try folder.bytes(name) == files[0]) as Bool)
}

/// For ever: the numbers of repetitions that browsers look at.
@Test func animationsLoopForEver() throws {
  let folder = try TemporaryFolder()
  let frames = frames(colorCount: 9, frameCount: 3, width: 8, height: 8)
  try write(frames, to: folder.file("clip.gif"))
  let gif = try folder.bytes("clip.gif")
  let netscape = Array("NETSCAPE2.0".utf8) + [3, 1, 0, 0, 0]
  #expect(gif.indices.contains { gif[$0...].starts(with: netscape) })
  try write(frames, to: folder.file("clip.png"))
  let png = try folder.bytes("clip.png")
  let control = Array("acTL".utf8) + [0, 0, 0, 3, 0, 0, 0, 0]
  #expect(png.indices.contains { png[$0...].starts(with: control) })
}

@Test(arguments: [(8, 8), (24, 24), (30_000.0 / 1_001, 30_000.0 / 1_001), (50, 50), (0.5, 0.5)])
func ratesOfAnimationsAreKept(rate: Double, expected: Double) throws {
  let folder = try TemporaryFolder()
  let frames = frames(colorCount: 9, frameCount: 25, width: 4, height: 4)
  for name in ["clip.gif", "clip.png"] {
    try write(frames, to: folder.file(name), rate: rate)
    let reader = try VideoReader(path: folder.file(name))
    // The times of a GIF are hundredths of a second.
    let tolerance = name == "clip.gif" ? 0.05 : 1e-6
    #expect(abs(reader.frameRate - expected) < tolerance, "\(name): \(reader.frameRate)")
    #expect(abs(reader.duration - 25 / rate) < 0.011, "\(name): \(reader.duration)")
  }
}

/// The same frames and times, where a browser would show them.
@Test func pillowReadsTheSameAnimations() throws {
  guard let python = Programs.pythonWithPillow else {
    print("skipped: no python3 with Pillow in the path (ATTUNE_PYTHON may name one)")
    return
  }
  let folder = try TemporaryFolder()
  let frames = (0..<4).map { clipFrame($0, width: 33, height: 17).withFewColors }
  let program = """
    import sys
    from PIL import Image, ImageSequence
    with Image.open(sys.argv[1]) as file:
        for frame in ImageSequence.Iterator(file):
            sys.stdout.buffer.write(frame.convert("RGB").tobytes())
            assert 120 <= frame.info["duration"] <= 130 and frame.info["loop"] == 0
    """
  for name in ["clip.gif", "clip.png"] {
    try write(frames, to: folder.file(name), rate: 8)
    let seen = try Programs.output(python, ["-c", program, folder.file(name)])
    #expect(seen == Data(frames.flatMap(\.samples)), "\(name)")
  }
}
