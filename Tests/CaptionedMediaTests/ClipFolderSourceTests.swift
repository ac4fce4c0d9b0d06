import CaptionedMedia
import Files
import Foundation
import Media
import Tensors
import TestSupport
import Testing

/// Folders of videos, GIFs and frames with captions.
@Suite struct ClipFolderSourceTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Frame i of clip c has one color.
  private func frame(_ clip: Int, _ index: Int, size: Int = 16) -> Image {
    Image(
      width: size, height: size, filledWith: Color(UInt32(clip * 60) << 16 | UInt32(index * 20)))
  }

  private func clip(_ number: Int, count: Int) -> Clip {
    Clip(frames: (0..<count).map { frame(number, $0) }, frameRate: 10)
  }

  private func expect(
    _ source: ClipFolderSource, _ index: Int, shows frames: [Image], caption: String
  ) throws {
    let batch = try source.batch(at: [index])
    #expect(batch.images.shape == [1, frames.count, source.height, source.width, 3])
    #expect(Image.batch(batch.images[0], range: .minusOneToOne) == frames)
    #expect(batch.captions == [caption])
    #expect(try source.captions(at: [index]) == [caption])
  }

  /// All kinds in one list; more frames than are wanted are spread, fewer shown again. Read at once
  /// or one by one, they are the same.
  @Test(arguments: [0, 1 << 30]) func everyKindIsRead(memoryLimit: Int) throws {
    try clip(1, count: 9).write(to: folder.file("a.gif"))
    try clip(2, count: 2).write(to: folder.file("b.apng"))
    try FileManager.default.createDirectory(
      atPath: folder.file("c"), withIntermediateDirectories: false)
    for index in 0..<3 { try frame(3, index).writePNG(to: folder.file("c/0\(index).png")) }
    try folder.write("no frame", to: "c/notes.txt")
    try folder.write(
      """
      {"file_name": "c", "text": "three"}
      {"file_name": "a.gif", "text": "one"}
      {"file_name": "b.apng", "text": "two"}
      """, to: "metadata.jsonl")
    let source = try ClipFolderSource(
      path: folder.path, frames: 3, width: 16, height: 16, memoryLimit: memoryLimit)
    #expect(source.count == 3 && source.frames == 3)
    try expect(source, 0, shows: (0..<3).map { frame(3, $0) }, caption: "three")
    try expect(source, 1, shows: [0, 4, 8].map { frame(1, $0) }, caption: "one")
    try expect(source, 2, shows: [0, 1, 1].map { frame(2, $0) }, caption: "two")
    #expect(try source.batch(at: [2, 0]).captions == ["two", "three"])
  }

  @Test func captionsMayLieBeside() throws {
    try clip(1, count: 2).write(to: folder.file("first.gif"))
    try folder.write(" a red square \n", to: "first.txt")
    try FileManager.default.createDirectory(
      atPath: folder.file("second"), withIntermediateDirectories: false)
    try frame(2, 0, size: 32).writePNG(to: folder.file("second/0.png"))
    try folder.write("another", to: "second.txt")
    let source = try ClipFolderSource(path: folder.path, frames: 2, width: 16, height: 16)
    try expect(source, 0, shows: [frame(1, 0), frame(1, 1)], caption: "a red square")
    try expect(source, 1, shows: [frame(2, 0), frame(2, 0)], caption: "another")
  }

  /// A video that was compressed comes back about as it was.
  @Test func videosAreRead() throws {
    try clip(4, count: 5).write(to: folder.file("a.mp4"))
    try folder.write("file\tcaption\na.mp4\tfour\n", to: "captions.tsv")
    let source = try ClipFolderSource(path: folder.path, frames: 5, width: 8, height: 8)
    let batch = try source.batch(at: [0]).images
    for index in 0..<5 {
      let expected = frame(4, index, size: 8).tensor(range: .minusOneToOne)
      let difference = (batch[0][index] - expected).elements.map { abs($0) }.max() ?? 1
      #expect(difference < 0.08)
    }
  }

  @Test func mistakesAreNamed() throws {
    func message(_ frames: Int = 2) -> String {
      do {
        _ = try ClipFolderSource(path: folder.path, frames: frames, width: 8, height: 8)
        return "none"
      } catch {
        return "\(error)"
      }
    }
    #expect(message().contains("has no captioned clips"))
    try clip(1, count: 2).write(to: folder.file("a.gif"))
    #expect(message().contains("a.gif: has no caption; write it to"))
    try folder.write("one", to: "a.txt")
    #expect(message() == "none")
    try FileManager.default.createDirectory(
      atPath: folder.file("empty"), withIntermediateDirectories: false)
    try folder.write("nothing", to: "empty.txt")
    #expect(message().contains("has no PNG frames"))
    try folder.write("not a video", to: "a.gif")
    #expect(message().contains("a.gif"))
  }
}
