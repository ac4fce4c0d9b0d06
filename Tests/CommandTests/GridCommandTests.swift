import Media
import TestSupport
import Testing

/// `attune image grid`.
@Suite struct GridCommandTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    let image = Image(width: 128, height: 64, filledWith: .white)
    try image.writePNG(to: folder.file("a.png"))
  }

  @Test func captionsOfAnyScriptAreDrawn() throws {
    let grid = try Attune.run(
      ["image", "grid", "a.png", "a.png", "a.png", "--output", "g.png", "--captions"]
        + ["a knight", "рыцарь", "فارس"], in: folder)
    // How high a line of captions is depends on the fonts that are installed.
    #expect(
      grid.status == 0 && grid.output.hasPrefix("wrote g.png: 3 images, 280x"), "\(grid.output)")
    let drawn = try Image(contentsOfFile: folder.file("g.png"))
    let dark = stride(from: 0, to: drawn.samples.count, by: 3).filter { drawn.samples[$0] < 128 }
    #expect((60...1_500).contains(dark.count), "\(dark.count)")
  }

  /// Plane 15 is for private use: no font has it.
  @Test func missingFontsAreReportedInOneLine() throws {
    let grid = try Attune.run(
      ["image", "grid", "a.png", "a.png", "--output", "g.png", "--quiet", "--captions"]
        + ["one \u{F1234}", "two \u{F1234}\u{F1235}"], in: folder)
    #expect(grid.status == 0)
    let lines = grid.standardError.split(separator: "\n")
    #expect(lines.count == 1, "\(lines)")
    for part in [
      "attune: warning: no installed font has", "U+F1234", "U+F1235", "apt-get install fonts-",
    ] {
      #expect(lines.first?.contains(part) == true, "\(part)")
    }
  }
}
