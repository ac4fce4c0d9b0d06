import Configuration
import Files
import Foundation
import Media

/// A place on a paper doll that one layer fills; the cases stand from the lowest layer to the
/// highest.
public enum DollSlot: String, CaseIterable, Codable, CodingKeyRepresentable, Comparable, Sendable {
  case cloak, base, boots, legs, body
  /// The hand on the left of the image.
  case hand1
  /// The hand on the right of the image.
  case hand2
  case hair, head

  /// Whether a doll may be without it, and a caption may leave it out.
  public var isOptional: Bool { self != .base && self != .body }

  /// The place in the stack, from 0 at the bottom.
  var depth: Int {
    switch self {
    case .cloak: 0
    case .base: 1
    case .boots: 2
    case .legs: 3
    case .body: 4
    case .hand1: 5
    case .hand2: 6
    case .hair: 7
    case .head: 8
    }
  }

  /// Whether it lies below the other.
  public static func < (left: DollSlot, right: DollSlot) -> Bool { left.depth < right.depth }
}

/// One layer of a paper doll and the words for it.
public struct DollItem: Codable, Hashable, Sendable {
  /// Where it goes.
  public let slot: DollSlot
  /// The name of its file in the slot's folder.
  public let file: String
  /// What a caption calls it, without article; several files may share a phrase.
  public let phrase: String
  /// The kind of thing, which decides whether the phrase takes an article.
  public let noun: String
  /// The phrase's color; empty if it has none.
  public let color: String

  /// Describes a layer.
  public init(slot: DollSlot, file: String, phrase: String, noun: String, color: String) {
    self.slot = slot
    self.file = file
    self.phrase = phrase
    self.noun = noun
    self.color = color
  }
}

/// A character: the item chosen for each slot.
public struct Doll: Codable, Hashable, Sendable {
  /// The items from the lowest layer to the highest, at most one for a slot.
  public let items: [DollItem]

  /// Makes a doll of items for different slots, in any order.
  public init(_ items: [DollItem]) {
    self.items = items.sorted { $0.slot < $1.slot }
    precondition(
      Set(items.map(\.slot)).count == items.count,
      "a doll has at most one item for a slot, not \(self.items.map(\.slot.rawValue))")
  }

  /// The item of a slot; nil if there is none.
  public subscript(slot: DollSlot) -> DollItem? { items.first { $0.slot == slot } }
}

/// Everything about a set of paper dolls but the pixels: items, and what may not go together.
public struct DollCatalog: Codable, Hashable, Sendable {
  /// Clothes and a thing in the right-hand side of the image that no training image combines.
  public struct HeldOutPair: Codable, Hashable, Sendable {
    /// A phrase of the slot `body`.
    public let body: String
    /// A phrase of the slot `hand2`.
    public let hand2: String
  }

  /// A caption of the test set and the doll that it describes.
  public struct Example: Codable, Hashable, Sendable {
    /// The words.
    public let caption: String
    /// The character.
    public let doll: Doll
  }

  /// Two items that must not be in one image, by their positions in `items`.
  public struct ForbiddenPair: Codable, Hashable, Sendable {
    /// The first position.
    public let first: Int
    /// The second position.
    public let second: Int
  }

  /// Every item, in the order of the file that lists them.
  public let items: [DollItem]
  /// The pairs that must not be in one image.
  public let forbiddenPairs: [ForbiddenPair]
  /// The pairs that training must not show.
  public let heldOutPairs: [HeldOutPair]
  /// Test captions with held-out pairs.
  public let heldOutExamples: [Example]

  /// The items of a slot.
  public func items(of slot: DollSlot) -> [DollItem] { items.filter { $0.slot == slot } }

  /// The phrases of a slot, sorted, each once.
  public func phrases(of slot: DollSlot) -> [String] {
    Set(items(of: slot).map(\.phrase)).sorted()
  }

  /// Whether a doll combines what training must not show.
  public func isHeldOut(_ doll: Doll) -> Bool {
    guard let body = doll[.body], let hand2 = doll[.hand2] else { return false }
    return heldOutPairs.contains(HeldOutPair(body: body.phrase, hand2: hand2.phrase))
  }
}

/// Dolls that are alike: what tells them apart is an item or two.
///
/// A model that has to tell a caption from those of other dolls gets by with the most conspicuous
/// items; one that has to tell it from captions of dolls like it must look at every item.
public struct DollGroups: Settings {
  /// Dolls of a group: a first one, drawn freely, and others like it.
  @Setting(.positive) public var size = 8
  /// The probability that a slot of the others is drawn anew, each for itself.
  @Setting(.fraction) public var changeProbability = 0.25

  /// The defaults.
  public init() {}
}

extension DollCatalog {
  /// Reads `captions.tsv`, `forbidden.tsv` and, if they are there, `heldout_pairs.tsv` and
  /// `heldout.tsv` of a folder of layers.
  ///
  /// - Throws: `FileError` if a file cannot be read, `CaptionedDataError` if it is broken.
  public init(folder: String) throws {
    try RequiredFolder.check(
      folder, what: "the folder of doll layers", marker: "captions.tsv",
      advice: "name a folder with a captions.tsv and the layers")
    items = try DollCatalog.items(in: TabSeparatedFile(path: folder + "/captions.tsv"))
    let index = ItemIndex(items)
    forbiddenPairs = try DollCatalog.forbiddenPairs(
      in: TabSeparatedFile(path: folder + "/forbidden.tsv"), index: index)

    let pairsPath = folder + "/heldout_pairs.tsv"
    heldOutPairs =
      FileManager.default.fileExists(atPath: pairsPath)
      ? try DollCatalog.heldOutPairs(in: TabSeparatedFile(path: pairsPath), items: items) : []
    let examplesPath = folder + "/heldout.tsv"
    heldOutExamples =
      FileManager.default.fileExists(atPath: examplesPath)
      ? try DollCatalog.examples(
        in: TabSeparatedFile(path: examplesPath), items: items, index: index) : []
  }

  private static func items(in file: TabSeparatedFile) throws -> [DollItem] {
    var items: [DollItem] = []
    var seen: Set<[String]> = []
    // By what prompts are searched for. Over all slots, as a prompt may leave open which it means.
    var spellings: [String: String] = [:]
    for row in try file.values(ofColumns: ["layer", "file", "phrase", "noun", "colour"]) {
      let values = row.values
      let slot = try slot(values[0], file: file, row: row)
      guard !values[1].isEmpty, values[2].contains(where: { $0.isLetter || $0.isNumber }) else {
        throw CaptionedDataError(
          file: file.path, row: row.line, problem: "has no file, or no words in its phrase",
          advice: "fill it in or remove the row")
      }
      guard seen.insert([values[0], values[1]]).inserted else {
        throw CaptionedDataError(
          file: file.path, row: row.line, problem: "lists \(values[0])/\(values[1]) again",
          advice: "remove one of the rows")
      }
      let words = PhraseFinder.normalized(values[2])
      if let other = spellings.updateValue(values[2], forKey: words), other != values[2] {
        throw CaptionedDataError(
          file: file.path, row: row.line,
          problem: "prompts cannot tell its phrase '\(values[2])' from '\(other)'",
          advice: "spell them alike, or let them differ in more than case and punctuation")
      }
      items.append(
        DollItem(
          slot: slot, file: values[1], phrase: values[2], noun: values[3], color: values[4]))
    }
    for slot in [DollSlot.base, .body] where !items.contains(where: { $0.slot == slot }) {
      throw CaptionedDataError(
        file: file.path, problem: "has no row of the layer '\(slot.rawValue)'",
        advice: "every doll needs one")
    }
    return items
  }

  private static func forbiddenPairs(
    in file: TabSeparatedFile, index: ItemIndex
  ) throws -> [ForbiddenPair] {
    try file.values(ofColumns: ["layer_a", "file_a", "layer_b", "file_b"]).map { row in
      let first = try index.position(row.values[0], row.values[1], file: file, row: row)
      let second = try index.position(row.values[2], row.values[3], file: file, row: row)
      return ForbiddenPair(first: first, second: second)
    }
  }

  private static func heldOutPairs(
    in file: TabSeparatedFile, items: [DollItem]
  ) throws -> [HeldOutPair] {
    let phrases = Dictionary(grouping: items, by: \.slot).mapValues { Set($0.map(\.phrase)) }
    return try file.values(ofColumns: ["body phrase", "hand2 phrase"]).map { row in
      for (slot, phrase) in zip([DollSlot.body, .hand2], row.values) {
        guard phrases[slot]?.contains(phrase) == true else {
          throw CaptionedDataError(
            file: file.path, row: row.line,
            problem: "'\(phrase)' is no phrase of \(slot.rawValue) in captions.tsv",
            advice: phrase.nearest(among: (phrases[slot] ?? []).sorted())
              .map { "did you mean '\($0)'?" })
        }
      }
      return HeldOutPair(body: row.values[0], hand2: row.values[1])
    }
  }

  private static func examples(
    in file: TabSeparatedFile, items: [DollItem], index: ItemIndex
  ) throws -> [Example] {
    let present = Set(file.rows.first?.values ?? [])
    let slots = DollSlot.allCases.filter { present.contains($0.rawValue) }
    return try file.values(ofColumns: ["caption"] + slots.map(\.rawValue)).map { row in
      let chosen = try zip(slots, row.values.dropFirst()).compactMap { slot, name in
        name.isEmpty
          ? nil : items[try index.position(slot.rawValue, name, file: file, row: row)]
      }
      return Example(caption: row.values[0], doll: Doll(chosen))
    }
  }

  private static func slot(
    _ name: String, file: TabSeparatedFile, row: TabSeparatedFile.Row
  ) throws(CaptionedDataError) -> DollSlot {
    if let slot = DollSlot(rawValue: name) { return slot }
    let names = DollSlot.allCases.map(\.rawValue)
    throw CaptionedDataError(
      file: file.path, row: row.line, problem: "there is no layer '\(name)'",
      advice: "expected one of \(names.joined(separator: ", "))")
  }
}

/// Where an item stands in a list, by slot and file.
struct ItemIndex: Sendable {
  private var positions: [DollSlot: [String: Int]] = [:]

  init(_ items: [DollItem]) {
    for (position, item) in items.enumerated() {
      positions[item.slot, default: [:]][item.file] = position
    }
  }

  func position(of item: DollItem) -> Int? { positions[item.slot]?[item.file] }

  /// The position of an item that a row names.
  func position(
    _ layer: String, _ name: String, file: TabSeparatedFile, row: TabSeparatedFile.Row
  ) throws(CaptionedDataError) -> Int {
    if let slot = DollSlot(rawValue: layer), let position = positions[slot]?[name] {
      return position
    }
    throw CaptionedDataError(
      file: file.path, row: row.line,
      problem: "'\(layer)/\(name)' is not in captions.tsv",
      advice: "list it there or remove the row")
  }
}
