import CPangoCairo
import Glibc
import Synchronization

/// A text laid out by Pango in the fonts of the system: any script, each character in a font that
/// has it, written from right to left where its script is.
///
/// Like a canvas, it stays on the thread that made it.
public final class Text {
  /// Where lines stand between the left and right edges of the text.
  public enum Alignment: Sendable {
    /// At the left, or at the right if the script is written from there.
    case leading
    /// In the middle.
    case center
  }

  /// The families that are asked for; others give what these do not have.
  static let families = ["DejaVu Sans", "Verdana", "sans-serif"]

  /// The string as it is written: without control characters.
  public let string: String
  private let layout: OpaquePointer

  /// Lays out lines without a limit to their width.
  ///
  /// - Parameters:
  ///   - string: the text; a newline begins a line.
  ///   - size: the font's size, in the units of the canvas.
  ///   - isBold: whether letters are bold.
  public init(_ string: String, size: Double, isBold: Bool = false) {
    self.string = Text.printable(string)
    layout = Text.makeLayout(size: size, isBold: isBold)
    pango_layout_set_text(layout, self.string, -1)
  }

  /// Breaks a text into lines at spaces, or inside words longer than a line; what does not fit ends
  /// in an ellipsis.
  ///
  /// - Parameters:
  ///   - string: the text; a newline begins a line, as long as all lines are within the limit.
  ///   - size: the font's size, in the units of the canvas.
  ///   - width: the width of a line.
  ///   - lineLimit: the most lines.
  ///   - alignment: where lines stand.
  public init(
    _ string: String, size: Double, width: Double, lineLimit: Int, alignment: Alignment = .leading
  ) {
    precondition(width > 0 && lineLimit > 0, "a text of \(lineLimit) lines, \(width) wide")
    layout = Text.makeLayout(size: size, isBold: false)
    pango_layout_set_width(layout, Text.units(width))
    pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR)
    pango_layout_set_alignment(
      layout, alignment == .center ? PANGO_ALIGN_CENTER : PANGO_ALIGN_LEFT)
    let paragraphs = Text.paragraphs(string)
    let lines = paragraphs.joined(separator: "\n")
    pango_layout_set_text(layout, lines, -1)
    if pango_layout_get_line_count(layout) <= lineLimit {
      self.string = lines
    } else {
      // Pango limits the lines of each paragraph, not of all: too many become one.
      self.string = paragraphs.joined(separator: " ")
      pango_layout_set_height(layout, -Int32(lineLimit))
      pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END)
      pango_layout_set_text(layout, self.string, -1)
    }
  }

  private static func makeLayout(size: Double, isBold: Bool) -> OpaquePointer {
    precondition(size > 0, "a text of size \(size)")
    guard
      let context = pango_font_map_create_context(pango_cairo_font_map_get_default()),
      let layout = pango_layout_new(context), let font = pango_font_description_new(),
      let options = cairo_font_options_create()
    else { preconditionFailure("a text ran out of memory") }
    // The same letters whatever the user's screen wants, and the same widths at every scale.
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY)
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_SLIGHT)
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF)
    pango_cairo_context_set_font_options(context, options)
    pango_context_set_round_glyph_positions(context, 0)
    cairo_font_options_destroy(options)
    g_object_unref(UnsafeMutableRawPointer(context))
    pango_font_description_set_family(font, Text.families.joined(separator: ","))
    pango_font_description_set_absolute_size(font, size * Double(PANGO_SCALE))
    if isBold { pango_font_description_set_weight(font, PANGO_WEIGHT_BOLD) }
    pango_layout_set_font_description(layout, font)
    pango_font_description_free(font)
    // A prompt that is broken inside a word is shown without a hyphen that it does not have.
    if let attributes = pango_attr_list_new() {
      pango_attr_list_insert(attributes, pango_attr_insert_hyphens_new(0))
      pango_layout_set_attributes(layout, attributes)
      pango_attr_list_unref(attributes)
    }
    return layout
  }

  deinit { g_object_unref(UnsafeMutableRawPointer(layout)) }

  /// The width and height of all lines.
  public var size: DrawingPoint {
    var (width, height): (Int32, Int32) = (0, 0)
    pango_layout_get_size(layout, &width, &height)
    return DrawingPoint(Double(width), Double(height)) / Double(PANGO_SCALE)
  }

  /// How many lines there are.
  public var lineCount: Int { string.isEmpty ? 0 : Int(pango_layout_get_line_count(layout)) }

  /// Whether a line was broken, as it was too wide.
  public var isWrapped: Bool { lineCount > string.split(separator: "\n").count }

  /// Whether something was left out for an ellipsis.
  public var isCut: Bool { pango_layout_is_ellipsized(layout) != 0 }

  /// The characters that no installed font has; they are drawn as boxes with their numbers.
  public var missingCharacters: Set<Unicode.Scalar> {
    var missing: Set<Unicode.Scalar> = []
    guard pango_layout_get_unknown_glyphs_count(layout) > 0,
      let place = pango_layout_get_iter(layout)
    else { return missing }
    defer { pango_layout_iter_free(place) }
    repeat {
      guard let glyphs = pango_layout_iter_get_run_readonly(place)?.pointee.glyphs?.pointee
      else { continue }  // the end of a line
      for index in 0..<Int(glyphs.num_glyphs) {
        let glyph = glyphs.glyphs[index].glyph
        // PANGO_GLYPH_UNKNOWN_FLAG beside the character's number.
        if glyph & 0x1000_0000 != 0, let scalar = Unicode.Scalar(glyph & 0x0FFF_FFFF) {
          missing.insert(scalar)
        }
      }
    } while pango_layout_iter_next_run(place) != 0
    return missing
  }

  /// As much of a single line as is no wider than `width`, with an ellipsis if it is not all.
  static func fitted(
    _ string: String, size: Double, isBold: Bool = false, width: Double
  ) -> String {
    func fits(_ text: String) -> Bool {
      Text(text, size: size, isBold: isBold).size.x <= width
    }
    // A line of more characters than this fits nowhere, and would take long to lay out.
    let line = printable(string.replacing(#/\s+/#, with: " "))
    if line.count <= 2_000, fits(line) { return line }
    var (low, high) = (0, min(line.count, 2_000))
    while low < high {
      let middle = (low + high + 1) / 2
      if fits("\(line.prefix(middle))…") { low = middle } else { high = middle - 1 }
    }
    return "\(line.prefix(low))…"
  }

  /// The lines of a text that have something in them, without spaces at their ends.
  private static func paragraphs(_ string: String) -> [String] {
    string.split(whereSeparator: \.isNewline)
      .map { $0.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
      .filter { !$0.isEmpty }.map(printable)
  }

  /// Control characters become spaces; what follows a NUL would be lost.
  private static func printable(_ string: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in string.unicodeScalars {
      let isControl = scalar.properties.generalCategory == .control && scalar != "\n"
      result.append(isControl ? " " : scalar)
    }
    return String(result)
  }

  private static func units(_ length: Double) -> Int32 {
    Int32(min(length, 1_000_000) * Double(PANGO_SCALE))
  }

  fileprivate func draw(on context: OpaquePointer, fromBaseline: Bool) {
    FontWarnings.report(for: [self])
    pango_cairo_update_layout(context, layout)
    if fromBaseline, let line = pango_layout_get_line_readonly(layout, 0) {
      pango_cairo_show_layout_line(context, line)
    } else {
      pango_cairo_show_layout(context, layout)
    }
  }
}

extension Canvas {
  /// Draws a text with the upper left corner of its lines at `corner`.
  public func draw(_ text: Text, at corner: DrawingPoint, color: Color) {
    setColor(color, opacity: 1)
    cairo_move_to(context, corner.x, corner.y)
    text.draw(on: context, fromBaseline: false)
    cairo_new_path(context)
  }

  /// Draws the first line of a text, whose base line begins at `origin`; upwards if `isVertical`.
  public func draw(
    _ text: Text, fromBaseline origin: DrawingPoint, color: Color, isVertical: Bool = false
  ) {
    cairo_save(context)
    defer { cairo_restore(context) }
    setColor(color, opacity: 1)
    cairo_translate(context, origin.x, origin.y)
    if isVertical { cairo_rotate(context, -.pi / 2) }
    cairo_move_to(context, 0, 0)
    text.draw(on: context, fromBaseline: true)
    cairo_new_path(context)
  }
}

/// Says which characters no installed font has, and what to install; each character once in a
/// program's life, as videos draw the same text hundreds of times.
public enum FontWarnings {
  private struct State {
    var reported: Set<Unicode.Scalar> = []
    var handler: @Sendable (String) -> Void = { line in
      _ = "warning: \(line)\n".withCString { write(STDERR_FILENO, $0, strlen($0)) }
    }
  }

  private static let state = Mutex(State())

  /// Sends warnings, a line each, to `handler` instead of standard error.
  public static func handle(by handler: @escaping @Sendable (String) -> Void) {
    state.withLock { $0.handler = handler }
  }

  /// Reports what all texts of an image lack in one line.
  static func report(for texts: [Text]) {
    let missing = texts.reduce(into: Set()) { $0.formUnion($1.missingCharacters) }
    guard !missing.isEmpty else { return }
    let news = state.withLock { state in
      let fresh = missing.subtracting(state.reported)
      state.reported.formUnion(fresh)
      return fresh.isEmpty ? nil : (line: line(about: fresh), handler: state.handler)
    }
    if let news { news.handler(news.line) }
  }

  /// One line that names a few of the characters and the packages that have them.
  static func line(about missing: Set<Unicode.Scalar>) -> String {
    let sorted = missing.sorted()
    let shown = sorted.prefix(5).map { scalar in
      let number = String(scalar.value, radix: 16, uppercase: true)
      return "\(scalar) (U+\(String(repeating: "0", count: max(0, 4 - number.count)))\(number))"
    }.joined(separator: ", ")
    let more = sorted.count > 5 ? " and \(sorted.count - 5) more" : ""
    let packages = Set(sorted.map(package)).sorted().joined(separator: " ")
    return "no installed font has \(shown)\(more), drawn as boxes; "
      + "install a font that does: apt-get install \(packages)"
  }

  /// The Debian package whose fonts have a character.
  static func package(for scalar: Unicode.Scalar) -> String {
    switch scalar.value {
    // Alphabets of Europe and the Middle East, punctuation: lacking only where there is no font at all.
    case 0..<0x700, 0x1E00..<0x2070: "fonts-dejavu-core"
    case 0x1100..<0x1200, 0x2E80..<0xA4D0, 0xA960..<0xA980, 0xAC00..<0xD800, 0xF900..<0xFB00,
      0xFE30..<0xFE50, 0xFF00..<0xFFF0, 0x1F200..<0x1F300, 0x20000..<0x40000:
      "fonts-noto-cjk"
    case 0x1F000..<0x1F200, 0x1F300..<0x1FB00: "fonts-noto-color-emoji"
    default: "fonts-noto-core"
    }
  }
}
