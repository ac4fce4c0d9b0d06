import Glibc
import Synchronization

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
