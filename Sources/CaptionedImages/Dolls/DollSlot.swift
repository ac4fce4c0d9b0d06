/// A place on a paper doll that one layer fills; the cases stand from the lowest layer to the
/// highest.
public enum DollSlot: String, CaseIterable, Codable, CodingKeyRepresentable, Comparable, Sendable {
  case cloak, base, boots, legs, body
  /// The hand on the left of the picture.
  case hand1
  /// The hand on the right of the picture.
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
