import CaptionedMedia
import Files

/// What a classifier tells apart: for each slot nothing, or one of the phrases.
public struct AttributeClasses: Sendable, Equatable {
  /// Each slot with its phrases; class 0 is an empty slot, class i is phrase i - 1.
  public let slots: [(slot: AttributeSlot, phrases: [String])]

  /// Equal slots with equal phrases.
  public static func == (left: AttributeClasses, right: AttributeClasses) -> Bool {
    left.slots.elementsEqual(right.slots) { $0.slot == $1.slot && $0.phrases == $1.phrases }
  }

  /// Slots with their phrases.
  public init(slots: [(slot: AttributeSlot, phrases: [String])]) { self.slots = slots }

  /// The slots of a catalog that have any phrases.
  public init(_ catalog: DollCatalog) { self.init(slots: catalog.attributePhrases) }

  /// The number of all slots' classes.
  public var count: Int { slots.reduce(0) { $0 + $1.phrases.count + 1 } }

  /// The columns of each slot's classes.
  var ranges: [Range<Int>] {
    var start = 0
    return slots.map { _, phrases in
      defer { start += phrases.count + 1 }
      return start..<start + phrases.count + 1
    }
  }

  /// The class of each slot of what has these phrases in its slots.
  func labels(of attributes: [AttributeSlot: String]) -> [Int] {
    slots.map { slot, phrases in
      guard let phrase = attributes[slot] else { return 0 }
      guard let index = phrases.firstIndex(of: phrase) else {
        preconditionFailure("'\(phrase)' is not among the classes of \(slot.rawValue)")
      }
      return index + 1
    }
  }

  init(json: JSONValue, path: String) throws(FileError) {
    func refusal(_ problem: String) -> FileError {
      FileError(
        .malformed, path: path, item: "slots", problem: problem,
        advice: "name the folder of a classifier that Attune trained")
    }
    guard case .array(let values) = json else { throw refusal("is not a list") }
    var slots: [(slot: AttributeSlot, phrases: [String])] = []
    // By what prompts are searched for.
    var spellings: [String: String] = [:]
    for value in values {
      guard case .object(let members) = value, case .string(let name) = members["slot"],
        !name.isEmpty, case .array(let texts) = members["phrases"]
      else { throw refusal("has an entry without slot and phrases") }
      var phrases: [String] = []
      var known: Set<String> = []
      for text in texts {
        guard case .string(let phrase) = text else { throw refusal("has a phrase that is no text") }
        guard known.insert(phrase).inserted else {
          throw refusal("has '\(phrase)' twice in the slot \(name)")
        }
        let words = PhraseFinder.normalized(phrase)
        if let other = spellings.updateValue(phrase, forKey: words), other != phrase {
          throw refusal("has '\(phrase)' and '\(other)', which prompts cannot tell apart")
        }
        phrases.append(phrase)
      }
      slots.append((AttributeSlot(rawValue: name), phrases))
    }
    guard !slots.isEmpty, Set(slots.map(\.slot)).count == slots.count else {
      throw refusal("is empty or has a slot twice")
    }
    self.slots = slots
  }

  var json: JSONValue {
    .array(
      slots.map { slot, phrases in
        .object([
          "slot": .string(slot.rawValue), "phrases": .array(phrases.map { .string($0) }),
        ])
      })
  }
}

/// What a classifier sees in an image.
public struct SeenAttributes: Sendable, Equatable {
  /// The phrase of each slot that is not empty.
  public let phrases: [AttributeSlot: String]

  /// Whether an image has what is asked for.
  public func shows(_ attribute: PromptAttribute) -> Bool {
    attribute.slots.contains { phrases[$0] == attribute.phrase }
  }

  /// The fraction of what is asked for that an image has; nil if nothing is.
  public func fraction(of wanted: PromptAttributes) -> Double? {
    guard !wanted.attributes.isEmpty else { return nil }
    return Double(wanted.attributes.count(where: shows)) / Double(wanted.attributes.count)
  }
}

/// How likely a classifier finds each phrase in an image.
struct AttributeProbabilities {
  private let values: [AttributeSlot: [String: Float]]

  init(_ values: [AttributeSlot: [String: Float]]) { self.values = values }

  /// 0 for a phrase that the slot does not have.
  func probability(of phrase: String, in slot: AttributeSlot) -> Float {
    values[slot]?[phrase] ?? 0
  }
}
