import TestSupport
import Testing

@testable import Media

private func clip(_ seeds: [UInt64], width: Int = 6, height: Int = 4, rate: Double = 8) -> Media {
  .clip(
    Clip(
      frames: seeds.map {
        randomImage(width: width, height: height, channelCount: 3, seed: $0)
      }, frameRate: rate))
}

@Test func clipsPlaySideBySideAndHoldTheirLastFrame() {
  let clips = [
    clip([0, 1, 2, 3]), clip([4, 5]),
    .image(randomImage(width: 6, height: 4, channelCount: 3, seed: 6)),
  ]
  var grid = ClipGrid(clips, columnCount: 2, captions: ["one", "two"])
  grid.layout.title = "clips"
  #expect(grid.layout.magnification == 8)
  #expect(grid.frameRate == 8)
  let frames = Array(grid.frames)
  #expect(frames.count == 4 && grid.frames.count == 4)
  for (index, frame) in frames.enumerated() {
    var expected = ImageGrid(
      clips.map { $0.frames[min(index, $0.frames.count - 1)] }, columnCount: 2,
      captions: ["one", "two"])
    expected.title = "clips"
    expected.magnification = 8
    #expect(frame == expected.rendered())
    #expect(grid.size == (frame.width, frame.height))
  }
  #expect(frames[1] != frames[2])
}

@Test func clipsOfOtherRatesPlayAtTheirOwnSpeed() {
  var grid = ClipGrid([clip([0, 1, 2, 3, 4, 5], rate: 12), clip([6, 7, 8], rate: 6)])
  grid.layout.padding = 0
  grid.layout.magnification = 1
  #expect(grid.frameRate == 12 && grid.frames.count == 6)
  let slow = grid.frames.map { frame in (6..<12).map { Array(frame[$0, 0]) } }
  #expect(slow[0] == slow[1] && slow[2] == slow[3] && slow[4] == slow[5])
  #expect(slow[1] != slow[2] && slow[3] != slow[4])
  grid.frameRate = 6
  #expect(grid.frames.count == 3)
  #expect(
    grid.frames[2]
      == {
        grid.frameRate = 12; return grid.frames[4]
      }())
  // Rates that are no binary fractions take no frame more.
  #expect(ClipGrid([clip([0, 1, 2], rate: 0.1), clip([0, 1, 2], rate: 0.3)]).frames.count == 9)
}

@Test func rowsOfFramesAreStills() {
  let clips = [clip([0, 1, 2]), clip([3])]
  var grid = ClipGrid(clips, columnCount: 2, captions: ["one", "two"])
  grid.layout.magnification = 2
  let rows = grid.rows
  #expect(rows.columnCount == 1 && rows.captions == ["one", "two"] && rows.magnification == 2)
  #expect(rows.images == clips.map(\.still))
  #expect(rows.images[0].width == 18)
}

@Test func magnificationShowsSmallClipsAtAbout128Pixels() {
  #expect(
    [1, 16, 17, 64, 100, 128, 512].map { ClipGrid.magnification(width: $0) } == [
      8, 8, 7, 2, 1, 1, 1,
    ])
}

@Test func gridsAreWrittenAsAnimations() throws {
  let folder = try TemporaryFolder()
  var grid = ClipGrid([clip([0, 1]), clip([2, 3, 4])])
  grid.layout.padding = 1
  try grid.write(to: folder.file("grid.png"))
  let reader = try VideoReader(path: folder.file("grid.png"))
  #expect(reader.frameRate == 8)
  #expect(try reader.frames() == Array(grid.frames))
}
