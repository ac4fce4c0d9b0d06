import Files
import Foundation

/// What a character of a sprite sheet wears or has; the cases stand from the lowest layer to the
/// highest.
public enum SpriteSlot: String, CaseIterable, Codable, CodingKeyRepresentable, Sendable {
  case body, shoes, bottomwear, topwear, hair
}

/// One sheet of a slot and the words for it.
public struct SpriteItem: Codable, Hashable, Sendable {
  /// Where it goes.
  public let slot: SpriteSlot
  /// The name of its file in the slot's folder.
  public let file: String
  /// What a caption calls it, without article; several files may have the same.
  public let phrase: String

  /// Describes a sheet.
  public init(slot: SpriteSlot, file: String, phrase: String) {
    self.slot = slot
    self.file = file
    self.phrase = phrase
  }
}

/// What a character does: a row of every sheet.
public struct SpriteAction: Codable, Hashable, Sendable {
  /// The row, from 0.
  public let row: Int
  /// Frames in it, from the left.
  public let frameCount: Int
  /// What a caption calls it.
  public let phrase: String

  /// Describes a row.
  public init(row: Int, frameCount: Int, phrase: String) {
    self.row = row
    self.frameCount = frameCount
    self.phrase = phrase
  }

  /// The frames of the row that a clip of `count` frames shows.
  ///
  /// A walk has a standing figure in front of its cycle of 8: the cycle alone is shown. Others are
  /// spread over the clip, the nearest frame at each time.
  public func frames(count: Int) -> [Int] {
    let isCycle = phrase.hasPrefix("walking") && frameCount > 1
    if isCycle { return (0..<count).map { 1 + $0 * (frameCount - 1) / count } }
    guard count > 1 else { return [0] }
    let step = Double(frameCount - 1) / Double(count - 1)
    return (0..<count).map { Int((Double($0) * step).rounded()) }
  }
}

/// A character that does something.
public struct Sprite: Codable, Hashable, Sendable {
  /// An item for every slot, from the lowest layer to the highest.
  public let items: [SpriteItem]
  /// What it does.
  public let action: SpriteAction

  /// A character of one item for each slot, in any order.
  public init(_ items: [SpriteItem], action: SpriteAction) {
    self.items = SpriteSlot.allCases.compactMap { slot in items.first { $0.slot == slot } }
    precondition(
      items.count == SpriteSlot.allCases.count && self.items.count == items.count,
      "a sprite has one item for each slot, not \(items.map(\.slot.rawValue))")
    self.action = action
  }

  /// The item of a slot.
  public subscript(slot: SpriteSlot) -> SpriteItem {
    items[SpriteSlot.allCases.firstIndex(of: slot) ?? 0]
  }

  /// The character in words: `a green orc with spiky pink hair, wearing a cyan shirt, red trousers
  /// and brown shoes, walking to the left`.
  ///
  /// - Parameters:
  ///   - slots: what is mentioned besides the body, which always is.
  ///   - action: whether it is mentioned.
  public func caption(mentioning slots: Set<SpriteSlot>, action isActionMentioned: Bool) -> String {
    var text = Self.withArticle(self[.body].phrase)
    if slots.contains(.hair) { text += " with \(self[.hair].phrase)" }
    let clothes = [SpriteSlot.topwear, .bottomwear, .shoes].filter(slots.contains)
      .map { Self.withArticle(self[$0].phrase) }
    if let last = clothes.last {
      let first = clothes.dropLast().joined(separator: ", ")
      text += ", wearing " + (first.isEmpty ? last : "\(first) and \(last)")
    }
    return isActionMentioned ? "\(text), \(action.phrase)" : text
  }

  /// Nouns in the plural, and those that cannot be counted.
  private static let endingsWithoutArticle = ["trousers", "armour", "chain mail", "shoes", "hair"]

  private static func withArticle(_ phrase: String) -> String {
    if endingsWithoutArticle.contains(where: phrase.hasSuffix) { return phrase }
    return (phrase.first.map("aeiou".contains) == true ? "an " : "a ") + phrase
  }
}

extension AttributeSlot {
  /// What a character wears.
  public static let shoes = AttributeSlot(SpriteSlot.shoes)
  /// What a character wears.
  public static let bottomwear = AttributeSlot(SpriteSlot.bottomwear)
  /// What a character wears.
  public static let topwear = AttributeSlot(SpriteSlot.topwear)
  /// What a character does.
  public static let action = AttributeSlot(rawValue: "action")

  /// The slot of a character.
  public init(_ slot: SpriteSlot) { self.init(rawValue: slot.rawValue) }
}

extension Sprite {
  /// The phrase of each slot, and of the action.
  public var attributes: [AttributeSlot: String] {
    var attributes = Dictionary(
      uniqueKeysWithValues: items.map { (AttributeSlot($0.slot), $0.phrase) })
    attributes[.action] = action.phrase
    return attributes
  }
}

extension SpriteCatalog {
  /// The slots of what can be seen in a single frame.
  public var lookPhrases: [(slot: AttributeSlot, phrases: [String])] {
    SpriteSlot.allCases.map { (AttributeSlot($0), phrases(of: $0)) }
  }

  /// What only a clip shows.
  public var motionPhrases: [(slot: AttributeSlot, phrases: [String])] {
    [(.action, actions.map(\.phrase))]
  }
}

/// Everything about a set of sprite sheets but the pixels.
public struct SpriteCatalog: Codable, Hashable, Sendable {
  /// Every item, in the order of the file that lists them.
  public let items: [SpriteItem]
  /// Every action, in the order of its row.
  public let actions: [SpriteAction]

  /// The items of a slot.
  public func items(of slot: SpriteSlot) -> [SpriteItem] { items.filter { $0.slot == slot } }

  /// The phrases of a slot, sorted, each once.
  public func phrases(of slot: SpriteSlot) -> [String] {
    Set(items(of: slot).map(\.phrase)).sorted()
  }

  /// Reads `captions.tsv` with the columns `layer file phrase`, and `actions.tsv` with
  /// `row frames phrase`. Layers that are none of `SpriteSlot` are passed over, as eyes, whose
  /// sheets are out of register with the bodies.
  ///
  /// - Throws: `FileError` if a file cannot be read, `CaptionedDataError` if it is broken.
  public init(folder: String) throws {
    try RequiredFolder.check(
      folder, what: "the folder of sprite sheets", marker: "actions.tsv",
      advice: "name a folder with captions.tsv, actions.tsv and the sheets")
    items = try Self.items(in: TabSeparatedFile(path: folder + "/captions.tsv"))
    actions = try Self.actions(in: TabSeparatedFile(path: folder + "/actions.tsv"))
  }

  private static func items(in file: TabSeparatedFile) throws -> [SpriteItem] {
    var items: [SpriteItem] = []
    for row in try file.values(ofColumns: ["layer", "file", "phrase"]) {
      guard let slot = SpriteSlot(rawValue: row.values[0]) else { continue }
      let item = SpriteItem(slot: slot, file: row.values[1], phrase: row.values[2])
      guard !item.file.isEmpty, item.phrase.contains(where: \.isLetter) else {
        throw CaptionedDataError(
          file: file.path, row: row.line, problem: "has no file, or no words in its phrase",
          advice: "fill it in or remove the row")
      }
      guard !items.contains(where: { $0.slot == slot && $0.file == item.file }) else {
        throw CaptionedDataError(
          file: file.path, row: row.line, problem: "lists \(slot.rawValue)/\(item.file) again",
          advice: "remove one of the rows")
      }
      items.append(item)
    }
    for slot in SpriteSlot.allCases where !items.contains(where: { $0.slot == slot }) {
      throw CaptionedDataError(
        file: file.path, problem: "has no row of the layer '\(slot.rawValue)'",
        advice: "every character needs one")
    }
    return items
  }

  private static func actions(in file: TabSeparatedFile) throws -> [SpriteAction] {
    var actions: [SpriteAction] = []
    for row in try file.values(ofColumns: ["row", "frames", "phrase"]) {
      guard let number = Int(row.values[0]), let frames = Int(row.values[1]),
        (0..<1_024).contains(number), (1...1_024).contains(frames), !row.values[2].isEmpty
      else {
        throw CaptionedDataError(
          file: file.path, row: row.line,
          problem: "is '\(row.values.joined(separator: " "))', expected a row, a number of frames "
            + "and a phrase")
      }
      guard !actions.contains(where: { $0.row == number || $0.phrase == row.values[2] }) else {
        throw CaptionedDataError(
          file: file.path, row: row.line, problem: "has a row or a phrase that another has",
          advice: "remove one of them")
      }
      actions.append(SpriteAction(row: number, frameCount: frames, phrase: row.values[2]))
    }
    guard !actions.isEmpty else {
      throw CaptionedDataError(
        file: file.path, problem: "has no actions", advice: "list the rows of the sheets")
    }
    return actions.sorted { $0.row < $1.row }
  }
}
