/// Numbers by name that add up: over rows, shards, lanes and processes.
public struct NamedSums: Sendable, Equatable, Codable, ExpressibleByDictionaryLiteral {
  /// In the order in which they were given.
  public private(set) var names: [String]
  private var values: [Double]

  /// Nothing, to which anything may be added.
  public init() { (names, values) = ([], []) }

  /// Numbers with their names.
  public init(dictionaryLiteral elements: (String, Double)...) {
    names = elements.map(\.0)
    values = elements.map(\.1)
  }

  /// The sum of that name.
  public subscript(name: String) -> Double {
    guard let index = names.firstIndex(of: name) else {
      preconditionFailure("no sum '\(name)' among \(names)")
    }
    return values[index]
  }

  /// Adds the sums of other rows, which have the same names.
  public static func += (left: inout NamedSums, right: NamedSums) {
    if left.names.isEmpty {
      left = right
    } else if !right.names.isEmpty {
      precondition(
        left.names == right.names, "sums of \(left.names) and of \(right.names) do not add up")
      for index in left.values.indices { left.values[index] += right.values[index] }
    }
  }

  /// With the sums of the same rows under other names.
  public func joined(with other: NamedSums) -> NamedSums {
    precondition(
      Set(names).isDisjoint(with: other.names), "\(names) and \(other.names) share a name")
    var result = self
    result.names += other.names
    result.values += other.values
    return result
  }
}
