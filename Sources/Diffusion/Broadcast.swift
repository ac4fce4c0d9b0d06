import Tensors

/// A value that all rows of a batch share, or one for each row.
///
/// Sampling runs a whole batch at one time step; training on recorded transitions mixes time steps
/// in one batch. Every sampler takes both.
public enum Broadcast<Value: Sendable>: Sendable {
  /// The same value for every row.
  case shared(Value)
  /// One value a row.
  case perRow([Value])

  /// Transforms the value or values.
  public func map<Result: Sendable>(_ transform: (Value) -> Result) -> Broadcast<Result> {
    switch self {
    case .shared(let value): .shared(transform(value))
    case .perRow(let values): .perRow(values.map(transform))
    }
  }

  /// One value for each of `count` rows.
  public func values(count: Int) -> [Value] {
    switch self {
    case .shared(let value): return Array(repeating: value, count: count)
    case .perRow(let values):
      precondition(values.count == count, "\(values.count) values for \(count) rows")
      return values
    }
  }

  /// Whether a condition holds for every value.
  func allSatisfy(_ condition: (Value) -> Bool) -> Bool {
    switch self {
    case .shared(let value): condition(value)
    case .perRow(let values): values.allSatisfy(condition)
    }
  }
}

extension Broadcast where Value == Float {
  /// A tensor that broadcasts along a batch of the given rank: `[]`, or `[B, 1, ...]`.
  public func tensor(rank: Int) -> Tensor {
    switch self {
    case .shared(let value): return Tensor(value)
    case .perRow(let values):
      let ones = [Int](repeating: 1, count: max(0, rank - 1))
      return Tensor(shape: [values.count] + ones, elements: values)
    }
  }
}

extension Broadcast where Value == Int {
  /// The entries of a table at these indices, ready to be multiplied with a batch of the given
  /// rank.
  func entries(of table: [Float], rank: Int) -> Tensor {
    map { index in
      precondition(
        table.indices.contains(index),
        "index \(index) is outside the sampler's \(table.count) time steps")
      return table[index]
    }.tensor(rank: rank)
  }
}
