import Foundation
import TestSupport
import Testing

@testable import Media

/// What ffprobe says about a file's video stream.
private struct Probe: Decodable {
  struct Stream: Decodable {
    var codecName: String
    var width: Int
    var height: Int
    var pixFmt: String
    var rFrameRate: String
    var nbReadFrames: String
    var duration: String
    var colorSpace: String?
    var colorPrimaries: String?
    var colorTransfer: String?
    var colorRange: String?
  }
  var streams: [Stream]

  static func run(_ path: String) throws -> Stream? {
    guard let ffprobe = Programs.find("ffprobe") else {
      print("skipped: ffprobe is not installed")
      return nil
    }
    let output = try Programs.output(
      ffprobe, ["-v", "error", "-count_frames", "-show_streams", "-of", "json", path])
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let streams = try decoder.decode(Probe.self, from: #require(output)).streams
    #expect(streams.count == 1)
    return streams.first
  }
}

/// All frames as RGB, by ffmpeg; nil where it is not installed.
private func decoded(_ path: String) throws -> [UInt8]? {
  guard let ffmpeg = Programs.find("ffmpeg") else {
    print("skipped: ffmpeg is not installed")
    return nil
  }
  let output = try Programs.output(
    ffmpeg, ["-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-sws_flags", "bicubic", "-"])
  return try Array(#require(output))
}

/// The names of a file's outermost boxes, in order.
private func boxes(_ path: String) throws -> [String] {
  let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
  var names: [String] = []
  var position = 0
  while position + 8 <= bytes.count {
    let size = bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
    names.append(String(decoding: bytes[position + 4..<position + 8], as: UTF8.self))
    guard size >= 8 else { break }
    position += size
  }
  #expect(position == bytes.count)
  return names
}

private func write(
  _ path: String, frameCount: Int, width: Int, height: Int, settings: VideoSettings
) throws {
  let writer = try VideoWriter(path: path, width: width, height: height, settings: settings)
  for index in 0..<frameCount { try writer.append(clipFrame(index, width: width, height: height)) }
  #expect(writer.frameCount == frameCount)
  try writer.finish()
  try writer.finish()  // does nothing
}

@Test(arguments: [VideoSettings.Codec.h264, .mpeg4], [(128, 96), (98, 720)])
func otherProgramsSeeTheSameVideo(codec: VideoSettings.Codec, size: (Int, Int)) throws {
  let folder = try TemporaryFolder()
  let path = folder.file("a: clip.mp4")
  let (width, height) = size
  do {
    try write(
      path, frameCount: 36, width: width, height: height,
      settings: VideoSettings(frameRate: 24, codec: codec))
  } catch VideoError.noEncoder {
    print("skipped: this libavcodec has no \(codec) encoder")
    return
  }
  #expect(try folder.contents == ["a: clip.mp4"])

  let names = try boxes(path)
  let (index, images) = (names.firstIndex(of: "moov"), names.firstIndex(of: "mdat"))
  #expect(try #require(index) < #require(images), "\(names)")

  if let stream = try Probe.run(path) {
    #expect(stream.codecName == codec.rawValue)
    #expect(stream.width == width && stream.height == height)
    #expect(stream.pixFmt == "yuv420p")
    #expect(stream.nbReadFrames == "36")
    #expect(stream.rFrameRate == "24/1")
    #expect(abs(try #require(Double(stream.duration)) - 1.5) < 1e-3)
    #expect(stream.colorSpace == (height < 720 ? "smpte170m" : "bt709"))
    #expect(stream.colorRange == "tv")
    #expect(stream.colorPrimaries == "bt709")
    #expect(stream.colorTransfer == "iec61966-2-1")
  }

  if let samples = try decoded(path) {
    let original = (0..<36).flatMap { clipFrame($0, width: width, height: height).samples }
    let ratio = peakSignalToNoise(samples, original)
    print("\(codec) \(width)x\(height): \(ratio) dB")
    #expect(ratio >= 35)
  }
}

/// Flat colors come back with the right matrix: a wrong one is off by ten levels and more.
@Test(arguments: [64, 720])
func colorsSurvive(height: Int) throws {
  let folder = try TemporaryFolder()
  let colors: [UInt32] = [0xE02020, 0x20C040, 0x2040E0, 0xF0F0F0, 0x101010, 0x808080]
  let path = folder.file("colors.mp4")
  let writer = try VideoWriter(path: path, width: 32, height: height)
  for color in colors {
    try writer.append(Image(width: 32, height: height, filledWith: Color(color)))
  }
  try writer.finish()
  guard let samples = try decoded(path) else { return }
  #expect(samples.count == colors.count * 32 * height * 3)
  for (index, color) in colors.enumerated() {
    let middle = ((index * height + height / 2) * 32 + 16) * 3
    let expected = Color(color)
    for (sample, wanted) in zip(
      samples[middle...], [expected.red, expected.green, expected.blue])
    {
      #expect(abs(Int(sample) - Int(wanted)) <= 4, "frame \(index) of \(height) rows")
    }
  }
}

@Test(arguments: [(1, 1), (33, 17), (2, 64), (320, 1)])
func oddAndTinySizesArePadded(size: (Int, Int)) throws {
  let folder = try TemporaryFolder()
  let path = folder.file("odd.mp4")
  let (width, height) = size
  // Grey, because chroma of such small images does not survive 4:2:0.
  let frames = (0..<3).map { index in
    let frame = clipFrame(index, width: width, height: height)
    return Image(width: width, height: height, channelCount: 1) { samples in
      for index in 0..<width * height { samples[index] = frame.samples[3 * index] }
    }
  }
  let writer = try VideoWriter(path: path, width: width, height: height)
  for frame in frames { try writer.append(frame) }
  try writer.finish()
  let (evenWidth, evenHeight) = (width + width % 2, height + height % 2)
  if let stream = try Probe.run(path) {
    #expect(stream.width == evenWidth && stream.height == evenHeight)
    #expect(stream.nbReadFrames == "3")
  }
  guard let samples = try decoded(path) else { return }
  try #require(samples.count == 3 * evenWidth * evenHeight * 3)
  let padded = frames.flatMap { frame in
    (0..<evenHeight).flatMap { y in
      (0..<evenWidth).flatMap { x in frame.rgb()[min(x, width - 1), min(y, height - 1)] }
    }
  }
  #expect(peakSignalToNoise(samples, padded) >= 40)
}

@Test func equalFramesGiveEqualFiles() throws {
  let folder = try TemporaryFolder()
  for codec in [VideoSettings.Codec.automatic, .mpeg4] {
    let files = try ["first.mp4", "second.mp4"].map { name in
      try write(
        folder.file(name), frameCount: 30, width: 160, height: 120,
        settings: VideoSettings(codec: codec))
      return try Data(contentsOf: URL(fileURLWithPath: folder.file(name)))
    }
    #expect((files[0] == files[1]) as Bool, "\(codec)")
    #expect(files[0].count > 1000)
  }
}

@Test(arguments: [(29.97, "2997/100"), (30_000.0 / 1_001, "30000/1001"), (0.5, "1/2")])
func frameRatesAreKept(rate: Double, expected: String) throws {
  let folder = try TemporaryFolder()
  try write(
    folder.file("rate.mp4"), frameCount: 12, width: 16, height: 16,
    settings: VideoSettings(frameRate: rate))
  if let stream = try Probe.run(folder.file("rate.mp4")) {
    #expect(stream.rFrameRate == expected)
    #expect(stream.nbReadFrames == "12")
  }
}

@Test func betterQualityIsNearerAndLarger() throws {
  let folder = try TemporaryFolder()
  let original = (0..<12).flatMap { clipFrame($0, width: 96, height: 96).samples }
  var sizes: [Int] = []
  var ratios: [Double] = []
  for quality in [12, 18, 40] {
    let path = folder.file("clip.mp4")
    try write(
      path, frameCount: 12, width: 96, height: 96, settings: VideoSettings(quality: quality))
    sizes.append(try Data(contentsOf: URL(fileURLWithPath: path)).count)
    if let samples = try decoded(path) { ratios.append(peakSignalToNoise(samples, original)) }
  }
  #expect(sizes == sizes.sorted(by: >))
  #expect(ratios == ratios.sorted(by: >))
}

@Test func unfinishedVideosLeaveNothing() throws {
  let folder = try TemporaryFolder()
  let old = Data("old".utf8)
  let path = folder.file("clip.mp4")
  try old.write(to: URL(fileURLWithPath: path))
  do {
    let writer = try VideoWriter(path: path, width: 16, height: 16)
    try writer.append(clipFrame(0, width: 16, height: 16))
    #expect(try folder.contents.count == 2)
  }
  #expect(try folder.contents == ["clip.mp4"])
  #expect(throws: VideoError.noFrames(file: path)) {
    try VideoWriter(path: path, width: 16, height: 16).finish()
  }
  #expect(try folder.contents == ["clip.mp4"])
  #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == old)
}

@Test func videosAreWrittenThroughLinksAndNotToPipes() throws {
  let folder = try TemporaryFolder()
  let link = folder.file("link.mp4")
  try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "clip.mp4")
  let writer = try VideoWriter(path: link, width: 16, height: 16)
  try writer.append(clipFrame(0, width: 16, height: 16))
  // By this name a run clears away what a killed process left.
  let names = try folder.contents.filter { $0 != "link.mp4" }
  #expect(names.count == 1)
  #expect(names.allSatisfy { $0.hasPrefix(".attune-") && $0.hasSuffix(".partial") })
  try writer.finish()
  #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "clip.mp4")
  #expect(try boxes(folder.file("clip.mp4")).first == "ftyp")

  let pipe = folder.file("pipe.mp4")
  #expect(mkfifo(pipe, 0o600) == 0)
  let reason = "it is a device, a pipe or a socket; name a file"
  #expect(throws: VideoError.failed(file: pipe, step: "creating the file", reason: reason)) {
    _ = try VideoWriter(path: pipe, width: 16, height: 16)
  }
  #expect(try folder.contents == ["clip.mp4", "link.mp4", "pipe.mp4"])
}

@Test func videoErrorsSayWhatToDo() throws {
  let folder = try TemporaryFolder()
  func message(_ body: () throws -> Void) -> String {
    let error = #expect(throws: VideoError.self) { try body() }
    return error.map(String.init(describing:)) ?? ""
  }
  let path = folder.file("clip.mp4")
  let writer = try VideoWriter(path: path, width: 16, height: 16)
  try writer.append(clipFrame(0, width: 16, height: 16))
  let size = message { try writer.append(clipFrame(0, width: 18, height: 16)) }
  #expect(size.contains("frame 1 of") && size.contains("18x16") && size.contains("16x16"))
  // The video goes on after a refused frame.
  try writer.append(clipFrame(1, width: 16, height: 16))
  try writer.finish()
  if let stream = try Probe.run(path) { #expect(stream.nbReadFrames == "2") }

  let missing = folder.file("missing/clip.mp4")
  let place = message { _ = try VideoWriter(path: missing, width: 16, height: 16) }
  #expect(place.contains(missing) && place.contains("No such file or directory"))
  let huge = message { _ = try VideoWriter(path: path, width: 20_000, height: 16) }
  #expect(huge.contains("20000x16"))
  for settings in [
    VideoSettings(frameRate: .nan), VideoSettings(frameRate: 0), VideoSettings(quality: 0),
  ] {
    #expect(
      message { _ = try VideoWriter(path: path, width: 16, height: 16, settings: settings) }
        .contains("must be"))
  }
  #expect(try folder.contents == ["clip.mp4"])
}

@Test func transparentFramesShowTheBackground() throws {
  let folder = try TemporaryFolder()
  let path = folder.file("clip.mp4")
  let writer = try VideoWriter(
    path: path, width: 16, height: 16, settings: VideoSettings(background: Color(0x3060C0)))
  try writer.append(
    Image(width: 16, height: 16, channelCount: 4, samples: [UInt8](repeating: 0, count: 1024)))
  try writer.append(
    Image(width: 16, height: 16, channelCount: 1, samples: [UInt8](repeating: 200, count: 256)))
  try writer.finish()
  guard let samples = try decoded(path) else { return }
  try #require(samples.count == 2 * 768)
  #expect(abs(Int(samples[0]) - 0x30) <= 4 && abs(Int(samples[2]) - 0xC0) <= 4)
  #expect(abs(Int(samples[768]) - 200) <= 4)
}
