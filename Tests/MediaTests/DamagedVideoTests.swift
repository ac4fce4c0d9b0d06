import Foundation
import TestSupport
import Testing

@testable import Media

/// The golden videos of other programs and some of Attune's own, by name.
private func videos() throws -> [(name: String, bytes: [UInt8])] {
  let folder = Goldens.folder.appendingPathComponent("videos")
  var videos = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map {
    ($0, [UInt8](try Data(contentsOf: folder.appendingPathComponent($0))))
  }
  let own = try TemporaryFolder()
  let frames = (0..<4).map { clipFrame($0, width: 34, height: 18) }
  for name in ["own.mp4", "own.gif", "own.png"] {
    try Clip(frames: frames, frameRate: 8).write(to: own.file(name))
    videos.append((name, try own.bytes(name)))
  }
  return videos
}

/// What is wrong, or nil if all frames could be read.
private func failure(_ bytes: [UInt8]) -> VideoError? {
  do throws(VideoError) {
    let reader = try VideoReader(bytes: bytes)
    let frames = try reader.frames()
    #expect(frames.count == reader.frameCount && reader.frameRate > 0 && reader.duration >= 0)
    #expect(frames.allSatisfy { $0.width == reader.width && $0.height == reader.height })
    return nil
  } catch {
    return error
  }
}

@Test func shortenedVideosAreErrors() throws {
  for (name, whole) in try videos() {
    #expect(failure(whole) == nil, "\(name)")
    let step = max(1, whole.count / 48)
    for count in Array(stride(from: 0, to: whole.count, by: step)) + [whole.count - 1] {
      #expect(failure(Array(whole[..<count])) != nil, "\(name) of \(count)/\(whole.count) bytes")
    }
  }
}

/// Bits flipped, bytes overwritten, parts cut out or doubled: frames or an error, never a crash.
@Test func mutatedVideosNeverCrash() throws {
  var generator = SeededGenerator(state: 11)
  let rounds = Int(ProcessInfo.processInfo.environment["ATTUNE_FUZZ_ROUNDS"] ?? "") ?? 40
  var errorCount = 0
  for (_, whole) in try videos() {
    for _ in 0..<rounds {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        let end = min(bytes.count, place + Int.random(in: 1...8, using: &generator))
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1:
          for index in place..<end { bytes[index] = UInt8.random(in: 0...255, using: &generator) }
        case 2: bytes.insert(contentsOf: bytes[place..<end], at: place)
        default: if bytes.count > 16 { bytes.removeSubrange(place..<end) }
        }
      }
      if failure(bytes) != nil { errorCount += 1 }
    }
  }
  #expect(errorCount > rounds)
}

@Test func readingErrorsSayWhatWasFound() throws {
  let folder = try TemporaryFolder()
  func message(_ bytes: [UInt8], name: String = "clip.bin") throws -> String {
    let path = try folder.write(bytes, to: name)
    let error = #expect(throws: VideoError.self) { _ = try VideoReader(path: path) }
    let text = error.map(String.init(describing:)) ?? ""
    #expect(text.contains(name))
    return text
  }
  #expect(try message([]).contains("it is empty"))
  #expect(try message(Array("hello world".utf8)).contains("68 65 6c 6c"))
  // A playlist would open another file.
  let list = "#EXTM3U\n#EXTINF:1,\n\(folder.file("clip.bin"))\n"
  #expect(try message(Array(list.utf8), name: "list.m3u8").contains("begins with bytes"))
  let other = "ffconcat version 1.0\nfile clip.bin\n"
  #expect(try message(Array(other.utf8), name: "clip.mp4").contains("begins with bytes"))

  let videos = Dictionary(uniqueKeysWithValues: try videos().map { ($0.name, $0.bytes) })
  let gif = try #require(videos["own.gif"])
  #expect(
    try message(Array(gif.dropLast()))
      .contains("breaks off after \(gif.count - 1) bytes, with 4 whole frames"))
  let png = try #require(videos["own.png"])
  #expect(try message(Array(png.dropLast(12))).contains("with 4 of 4 frames begun"))
  let mp4 = try #require(videos["own.mp4"])
  #expect(try message(Array(mp4.dropLast(9))).contains("'mdat'"))
  let index = try #require(mp4.indices.first { mp4[$0...].starts(with: Array("moov".utf8)) })
  var unfinished = mp4
  unfinished.replaceSubrange(index..<index + 4, with: Array("free".utf8))
  #expect(try message(unfinished).contains("moov"))

  for path in [folder.file("none.mp4"), folder.path, "/dev/zero"] {
    let error = #expect(throws: VideoError.self) { _ = try VideoReader(path: path) }
    #expect(String(describing: error!).contains("cannot read \(path)"))
  }
}

@Test func hostileVideosAreRefused() throws {
  // A canvas of 65535x65535 in a GIF of one pixel.
  let folder = try TemporaryFolder()
  let dot = Clip(frames: [Image(width: 1, height: 1, filledWith: .white)], frameRate: 8)
  try dot.write(to: folder.file("dot.gif"))
  var bytes = try folder.bytes("dot.gif")
  for index in 6..<10 { bytes[index] = 0xFF }
  let error = #expect(throws: VideoError.self) { _ = try VideoReader(bytes: bytes) }
  #expect(String(describing: error!).contains("65535x65535"))

  // Frames that claim to be more than they are.
  let image = Image(width: 2, height: 2, filledWith: .black)
  try Clip(frames: [image, Image(width: 2, height: 2, filledWith: .white)], frameRate: 8)
    .write(to: folder.file("two.png"))
  var png = try folder.bytes("two.png")
  let place = try #require(png.indices.first { png[$0...].starts(with: Array("acTL".utf8)) })
  png[place + 7] = 9
  #expect(
    throws: VideoError.damaged(file: "video data", reason: "it claims 9 frames and has 2")
  ) { _ = try VideoReader(bytes: png) }
}
