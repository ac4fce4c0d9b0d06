/// Sentences about what a reader does with a file beside reading it as it is.
enum ReadingNotes {
  private static let maxNameCount = 12

  /// Tensors that nobody asked for; nil if there are none.
  static func notRead(_ noun: String, _ names: [String], advice: String = "") -> String? {
    guard !names.isEmpty else { return nil }
    let verb = names.count == 1 ? "is" : "are"
    return "\(names.count.of(noun)) \(verb) not read: \(list(names))\(advice)"
  }

  /// Tensors read as `[T, D]` although they have dimensions of size 1 between; nil if there are
  /// none.
  static func squeezed(_ shapes: [(name: String, shape: [Int])]) -> String? {
    let squeezed = shapes.filter { CheckedTensors.isSqueezed($0.shape) }
    guard let first = squeezed.first,
      let matrix = CheckedTensors.matrixShape(first.shape)
    else { return nil }
    let others = squeezed.count > 1 ? " and \((squeezed.count - 1).of("other tensor"))" : ""
    return "'\(first.name)'\(others): shape \(first.shape) is read as \(matrix)"
  }

  /// A few of the names, and how many more there are.
  static func list(_ names: [String]) -> String {
    let shown = names.prefix(maxNameCount).joined(separator: ", ")
    let more = names.count - maxNameCount
    return more > 0 ? "\(shown) and \(more) more" : shown
  }
}

extension Int {
  /// The number with what it counts, in the plural unless it is one.
  func of(_ noun: String) -> String { "\(self) \(noun)\(self == 1 ? "" : "s")" }
}
