import Files
import Foundation

extension DollCatalog {
  /// Reads `captions.tsv`, `forbidden.tsv` and, if they are there, `heldout_pairs.tsv` and
  /// `heldout.tsv` of a folder of layers.
  ///
  /// - Throws: `FileError` if a file cannot be read, `CaptionedDataError` if it is broken.
  public init(folder: String) throws {
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
