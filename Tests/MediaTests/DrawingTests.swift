import Foundation
import Synchronization
import Testing

@testable import Media

/// Pixels' worth of white that was drawn on black.
private func ink(_ image: Image) -> Double {
  image.samples.reduce(0.0) { $0 + Double($1) } / (3 * 255)
}

private func drawn(width: Int = 40, height: Int = 30, _ body: (Canvas) -> Void) -> Image {
  let canvas = Canvas(width: width, height: height, background: .black)
  body(canvas)
  return canvas.image
}

private func filled(_ polygons: [(Double, Double)]...) -> Image {
  drawn { canvas in
    canvas.fill(polygons.map { $0.map { DrawingPoint($0.0, $0.1) } }, color: .white)
  }
}

@Test func polygonsCoverTheirArea() {
  #expect(abs(ink(filled([(2, 3), (12, 3), (12, 8), (2, 8)])) - 50) < 1e-3)
  #expect(abs(ink(filled([(2.25, 3.5), (12.5, 3.5), (12.5, 8), (2.25, 8)])) - 46.125) < 0.5)
  #expect(abs(ink(filled([(5, 5), (30, 7), (11, 25)])) - 244) < 2)
  // Cut off at the edges: only 10 x 30 pixels are on the canvas.
  #expect(abs(ink(filled([(30, -50), (90, -50), (90, 90), (30, 90)])) - 300) < 1e-3)
  #expect(ink(filled([(1, 1), (5, 5)])) == 0)
  #expect(ink(filled([(1, 1), (.nan, 5), (5, 1)])) == 0)
}

@Test func edgesAreSmooth() {
  let image = filled([(2.5, 4), (10, 4), (10, 12), (2.5, 12)])
  func red(_ column: Int, _ row: Int) -> Int { Int(image.samples[3 * (40 * row + column)]) }
  #expect((1...11).map { red($0, 8) }.filter { $0 == 255 }.count == 7)
  #expect((126...129).contains(red(2, 8)))
  #expect(red(1, 8) == 0 && red(10, 8) == 0)
  #expect(red(6, 3) == 0 && red(6, 4) == 255 && red(6, 11) == 255 && red(6, 12) == 0)
}

/// Polygons that meet leave no line of background between them, and overlaps count once.
@Test func polygonsOfOneShapeHaveNoSeam() {
  let image = filled(
    [(4.3, 5), (20.37, 5), (20.37, 20), (4.3, 20)], [(20.37, 5), (33, 5), (33, 20), (20.37, 20)],
    [(10, 8), (15, 8), (15, 12), (10, 12)])
  for column in 5..<33 { #expect(image[column, 10].allSatisfy { $0 >= 254 }, "\(column)") }
}

@Test func strokesCoverTheirLength() {
  func stroked(_ a: (Double, Double), _ b: (Double, Double), width: Double) -> Double {
    ink(
      drawn {
        $0.stroke([DrawingPoint(a.0, a.1), DrawingPoint(b.0, b.1)], width: width, color: .white)
      })
  }
  // Length times width and the two round ends.
  for (a, b) in [((5.0, 10.0), (30.0, 10.0)), ((5, 5), (20, 25)), ((30, 5), (28, 25))] {
    let length = hypot(b.0 - a.0, b.1 - a.1)
    #expect(abs(stroked(a, b, width: 3) - (length * 3 + .pi * 2.25)) < 0.03 * length * 3)
  }
  let disc = drawn { $0.fillDisc(center: DrawingPoint(15, 15), radius: 4, color: .white) }
  #expect(abs(ink(disc) - .pi * 16) < 1)
  let dashed = drawn {
    $0.stroke(
      [DrawingPoint(4, 10), DrawingPoint(31, 10)], width: 2, color: .white, dashes: [4, 10])
  }
  // Two dashes with two round ends each; a third would begin beyond the end.
  #expect(abs(ink(dashed) - 2 * (4 * 2 + .pi)) < 1)
}

/// A canvas of a plane draws the same as one of pixels, larger.
@Test func planesAreStretched() {
  let canvas = Canvas(width: 40, height: 60, size: DrawingPoint(20, 20), background: .black)
  canvas.fill(
    [[(2.0, 4.0), (10, 4), (10, 8), (2, 8)].map { DrawingPoint($0.0, $0.1) }], color: .white)
  let image = canvas.image
  #expect(abs(ink(image) - 8 * 2 * 4 * 3) < 1e-3)
  #expect(image[4, 12].allSatisfy { $0 == 255 } && image[3, 12].allSatisfy { $0 == 0 })
  #expect(image[19, 23].allSatisfy { $0 == 255 } && image[19, 24].allSatisfy { $0 == 0 })
}

private func drawing(_ string: String, size: Double = 20) -> Image {
  drawn(width: 300, height: 40) { canvas in
    canvas.draw(Text(string, size: size), at: DrawingPoint(4, 4), color: .white)
  }
}

/// One face for each of the scripts that the required fonts have.
@Test func scriptsAreDrawn() {
  let texts = [
    "a knight", "äöüßçñ", "рыцарь", "ιππότης", "فارس", "אביר", "½ × 2 ≤ 3 ± …", "→ ∑ √", "K′",
  ]
  for text in texts {
    let drawing = drawing(text)
    #expect(Text(text, size: 20).missingCharacters.isEmpty, "\(text)")
    #expect((40.0...2_500.0).contains(ink(drawing)), "\(text): \(ink(drawing))")
  }
  #expect(Set(texts.map { drawing($0).samples }).count == texts.count)
  for code in UInt8(33)...126 {
    #expect(ink(drawing(String(UnicodeScalar(code)))) > 4, "\(UnicodeScalar(code))")
  }
  #expect(ink(drawing(" ")) == 0)
  // Digits line up below one another.
  #expect(Set("0123456789".map { Text(String($0), size: 12).size.x }).count == 1)
}

/// Arabic letters are joined, and their first one stands at the right.
@Test func arabicRunsFromTheRight() {
  // Beh, whose body is wide, and alef, a narrow upright line.
  let image = drawing("با", size: 28)
  func height(of column: Int) -> Int {
    (0..<40).filter { image[column, $0].contains { $0 > 100 } }.count
  }
  let columns = (0..<300).filter { height(of: $0) > 0 }
  let upright = columns.max { height(of: $0) < height(of: $1) } ?? 0
  let middle = ((columns.first ?? 0) + (columns.last ?? 0)) / 2
  #expect(upright < middle, "alef, the second letter, stands at \(upright) of \(columns)")
  #expect(columns.count == (columns.last ?? 0) - (columns.first ?? 0) + 1, "letters are joined")
}

@Test func textsWrapAndEnd() {
  func text(_ string: String, width: Double, limit: Int = 3) -> Text {
    Text(string, size: 11, width: width, lineLimit: limit)
  }
  #expect(text("one two", width: 200).lineCount == 1)
  #expect(text("one two", width: 30).lineCount == 2)
  #expect(text("one two", width: 30).isWrapped && !text("one\ntwo", width: 30).isWrapped)
  #expect(text("  one\n\ntwo ", width: 200).lineCount == 2)
  #expect(text("", width: 50).lineCount == 0 && text(" \n ", width: 50).lineCount == 0)
  #expect(text("aaaaaaaaaaaaaaaa", width: 60).lineCount == 2)
  let cut = text("one two three four five six", width: 40, limit: 2)
  #expect(cut.lineCount == 2 && cut.isCut && cut.size.x <= 40)
  // The limit is for all paragraphs together.
  let many = text((0..<20).map { "line \($0)" }.joined(separator: "\n"), width: 90)
  #expect(many.lineCount == 3 && many.isCut)
  #expect(!text("one\ntwo\nthree", width: 90).isCut)
  // Narrower than a letter: one a line, and an end.
  #expect(text("abc", width: 1).lineCount == 3)
}

@Test func labelsAreFitted() {
  let long = String(repeating: "a very long text ", count: 20)
  let fitted = Text.fitted(long, size: 12, width: 200)
  #expect(fitted.hasSuffix("…") && (15...60).contains(fitted.count))
  #expect((150...200).contains(Text(fitted, size: 12).size.x))
  #expect(Text.fitted("short\n label", size: 12, width: 200) == "short label")
  #expect(Text.fitted(String(repeating: "W", count: 100_000), size: 12, width: 200).count < 40)
  #expect(Text.fitted("abc", size: 12, width: 1) == "…")
}

/// What a terminal would act on, and what would end a C string, is drawn as a space.
@Test func controlCharactersAreSpaces() {
  #expect(Text("a\u{0}b\u{1B}\u{7F}c", size: 12).string == "a b  c")
  #expect(Text("a\u{0}b", size: 12).size == Text("a b", size: 12).size)
}

/// Plane 15 is for private use: no font has it.
@Test func missingCharactersAreReportedOnce() {
  let lines = Mutex<[String]>([])
  FontWarnings.handle { line in lines.withLock { $0.append(line) } }
  let text = Text("a \u{F1234} b \u{F1235}", size: 20)
  #expect(text.missingCharacters == ["\u{F1234}", "\u{F1235}"])
  for _ in 0..<3 { #expect(ink(drawing("a \u{F1234} b \u{F1235}")) > 60) }
  let found = lines.withLock { $0 }.filter { $0.contains("U+F1234") }
  #expect(found.count == 1)
  #expect(found.first?.contains("U+F1235") == true)
  #expect(found.first?.contains("apt-get install fonts-noto-core") == true)
}

@Test func warningsNameTheirPackages() {
  let packages: [(Unicode.Scalar, String)] = [
    ("a", "fonts-dejavu-core"), ("я", "fonts-dejavu-core"), ("ف", "fonts-dejavu-core"),
    ("中", "fonts-noto-cjk"), ("を", "fonts-noto-cjk"), ("한", "fonts-noto-cjk"),
    ("\u{20000}", "fonts-noto-cjk"), ("\u{1F916}", "fonts-noto-color-emoji"),
    ("\u{0915}", "fonts-noto-core"), ("\u{0E01}", "fonts-noto-core"),
  ]
  for (scalar, name) in packages { #expect(FontWarnings.package(for: scalar) == name) }
  let line = FontWarnings.line(about: Set((0..<9).compactMap { Unicode.Scalar(0x4E00 + $0) }))
  #expect(line.contains("一 (U+4E00)") && line.contains("and 4 more"))
  #expect(line.hasSuffix("apt-get install fonts-noto-cjk") && !line.contains("\n"))
}
