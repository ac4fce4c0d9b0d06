/// A value attached to a group or dataset.
public struct HDF5Attribute: Sendable, CustomStringConvertible {
  /// What the value consists of.
  public enum Values: Sendable {
    /// Texts; damaged UTF-8 has replacement characters.
    case texts([String])
    /// Integers and booleans.
    case integers([Int])
    /// Floating-point numbers.
    case numbers([Double])
    /// Something that is not read, such as a compound or a long array; a word that says what.
    case other(String)
  }

  /// The size of each dimension; empty for a single value.
  public let shape: [Int]
  /// The values in row-major order.
  public let values: Values

  /// The only text of an attribute that is one; nil otherwise.
  public var text: String? {
    guard case .texts(let texts) = values, texts.count == 1 else { return nil }
    return texts[0]
  }

  /// The only integer of an attribute that is one; nil otherwise.
  public var integer: Int? {
    guard case .integers(let integers) = values, integers.count == 1 else { return nil }
    return integers[0]
  }

  /// The values as text: one by itself, several in brackets.
  public var description: String {
    func joined(_ values: [some CustomStringConvertible]) -> String {
      let text = values.map(\.description).joined(separator: ", ")
      return shape.isEmpty ? text : "[\(text)]"
    }
    switch values {
    case .texts(let texts): return joined(texts)
    case .integers(let integers): return joined(integers)
    case .numbers(let numbers): return joined(numbers)
    case .other(let what): return shape.isEmpty ? what : "\(what) \(shape)"
    }
  }
}
