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

/// The visible pixels of a layer.
struct DollLayer: Sendable {
  struct Pixel: Sendable {
    /// The position in the image, row by row.
    let position: Int
    let red: UInt8, green: UInt8, blue: UInt8, alpha: UInt8
  }

  let pixels: [Pixel]

  init(_ image: Image) {
    let samples = image.rgba().samples
    pixels = (0..<image.width * image.height).compactMap { position in
      let start = 4 * position
      let alpha = samples[start + 3]
      return alpha == 0
        ? nil
        : Pixel(
          position: position, red: samples[start], green: samples[start + 1],
          blue: samples[start + 2], alpha: alpha)
    }
  }

  /// Lays the pixels over an opaque RGB image, rounding as Pillow's `alpha_composite` does.
  func draw(on samples: UnsafeMutableBufferPointer<UInt8>) {
    for pixel in pixels {
      let start = 3 * pixel.position
      if pixel.alpha == 255 {
        samples[start] = pixel.red
        samples[start + 1] = pixel.green
        samples[start + 2] = pixel.blue
      } else {
        samples[start] = blend(pixel.red, over: samples[start], alpha: pixel.alpha)
        samples[start + 1] = blend(pixel.green, over: samples[start + 1], alpha: pixel.alpha)
        samples[start + 2] = blend(pixel.blue, over: samples[start + 2], alpha: pixel.alpha)
      }
    }
  }
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
