import Files
import Foundation
import Glibc
import Media
import Runs

/// The images or videos of a run that a page shows: those of before and after, and others.
struct MediaFolder {
  /// The same thing before and after the run.
  struct Pair {
    /// What the names have in common; empty for plain `before` and `after`.
    var name: String
    var before: MediaFile?
    var after: MediaFile?
  }

  private(set) var pairs: [Pair] = []
  /// In the order of their names, which is that of their iterations; the newest is the last.
  private(set) var others: [MediaFile] = []
  /// What is not shown, a line each.
  private(set) var notes: [String] = []

  /// - Parameter room: how many bytes the page may still take; what is shown is taken off.
  init(_ folder: String, kind: MediaFile.Kind, limits: ReportLimits, room: inout Int) {
    let ending = kind == .image ? ".png" : ".mp4"
    let names = FolderListing.names(in: folder).filter {
      $0.hasSuffix(ending) && !$0.hasPrefix(".")
    }
    let stems = names.map { String($0.dropLast(ending.count)) }
    let largest = kind == .image ? limits.imageByteCount : limits.videoByteCount

    func file(_ stem: String) -> MediaFile? {
      let path = "\(folder)/\(stem)\(ending)"
      var status = stat()
      let count = stat(path, &status) == 0 ? Int(status.st_size) : 0
      guard count <= largest, count <= room else {
        let limit = count <= largest ? "the page is full" : "more than \(Self.size(largest))"
        notes.append("\(path.printable) is not shown: it has \(Self.size(count)), \(limit)")
        return nil
      }
      do {
        let file = try MediaFile(path: path, kind: kind, maxByteCount: largest)
        room -= count
        return file
      } catch {
        notes.append("\(error)")
        return nil
      }
    }

    let paired = stems.filter { Self.pairName($0) != nil }
    for name in Set(paired.compactMap(Self.pairName)).sorted() {
      func side(_ word: String) -> MediaFile? {
        let stem = name.isEmpty ? word : "\(name)-\(word)"
        return paired.contains(stem) ? file(stem) : nil
      }
      let pair = Pair(name: name, before: side("before"), after: side("after"))
      if pair.before != nil || pair.after != nil { pairs.append(pair) }
    }
    let rest = Self.byIteration(stems.filter { Self.pairName($0) == nil })
    let chosen =
      kind == .image
      ? Self.spread(rest, count: limits.imageCount) : Array(rest.suffix(limits.videoCount))
    if chosen.count < rest.count {
      let noun = kind == .image ? "images" : "videos"
      notes.append(
        "\(chosen.count) of \(rest.count.grouped) \(noun) in \(folder.printable) are shown")
    }
    // The newest first, as it matters most where room is short.
    others = chosen.reversed().compactMap(file).reversed()
  }

  private static func size(_ count: Int) -> String { NumberText.byteCount(count) }

  /// What `hands-before` and `hands-after` have in common; nil for other names.
  private static func pairName(_ stem: String) -> String? {
    for word in ["before", "after"] {
      if stem == word { return "" }
      if stem.hasSuffix("-" + word) { return String(stem.dropLast(word.count + 1)) }
    }
    return nil
  }

  /// Sorted by the number at the end of the name, then by the name, so that the newest is the last.
  private static func byIteration(_ stems: [String]) -> [String] {
    func number(_ stem: String) -> Int {
      stem.firstMatch(of: #/-(\d{1,18})$/#).flatMap { Int($0.output.1) } ?? -1
    }
    return stems.map { (number($0), $0) }.sorted { $0 < $1 }.map(\.1)
  }

  /// The first, the last, and evenly between.
  private static func spread(_ names: [String], count: Int) -> [String] {
    guard names.count > count, count > 1 else { return Array(names.suffix(count)) }
    return (0..<count).map { names[$0 * (names.count - 1) / (count - 1)] }
  }
}

/// An image or a video of a run, as a page holds it.
struct MediaFile {
  enum Kind: String {
    case image = "image/png"
    case video = "video/mp4"
  }

  let kind: Kind
  /// The file's name without its ending.
  let name: String
  /// In pixels; nil for a video.
  let size: (width: Int, height: Int)?
  /// The whole file as text.
  let uri: String

  /// Reads a file and checks that a browser can show it.
  ///
  /// - Throws: `FileError`, `ImageFileError`.
  init(path: String, kind: Kind, maxByteCount: Int) throws {
    let bytes = try BinaryFile.read(path: path, maxByteCount: maxByteCount)
    switch kind {
    case .image:
      let image = try Image(pngBytes: bytes, name: path)
      size = (image.width, image.height)
    case .video:
      // The first box of an MP4 file, after its length.
      guard bytes.count > 8, bytes[4..<8].elementsEqual("ftyp".utf8) else {
        throw FileError(.malformed, path: path, problem: "is not an MP4 video")
      }
      size = nil
    }
    self.kind = kind
    let file = path.split(separator: "/").last.map(String.init) ?? path
    name = file.lastIndex(of: ".").map { String(file[..<$0]) } ?? file
    uri = "data:\(kind.rawValue);base64,\(Data(bytes).base64EncodedString())"
  }
}

/// How much a page may hold.
public struct ReportLimits: Sendable {
  /// The largest image, in bytes.
  public var imageByteCount = 8_000_000
  /// The maximum number of images; of more, the first and the last and some between are shown.
  public var imageCount = 24
  /// The largest video, in bytes.
  public var videoByteCount = 16_000_000
  /// The most videos, the last ones by name.
  public var videoCount = 8
  /// All images and videos together, in bytes.
  public var totalByteCount = 64_000_000

  /// The usual limits.
  public init() {}
}
