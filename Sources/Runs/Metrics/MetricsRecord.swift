import Foundation

/// The numbers of one line of `metrics.jsonl`.
///
/// Times do not belong here: a resumed run's metrics must equal those of a run that never stopped.
public struct MetricsRecord: Sendable, Equatable {
  /// The training iteration.
  public var iteration: Int
  /// The environment or gradient steps so far.
  public var step: Int
  /// The numbers by name, in camel case; one that is not finite is written as null.
  public var values: [String: Double]

  /// Makes a record; names must be in camel case and must not be `iteration` or `step`.
  public init(iteration: Int, step: Int, values: [String: Double] = [:]) {
    self.iteration = iteration
    self.step = step
    self.values = values
  }

  /// The number of that name; assigning nil removes it.
  public subscript(name: String) -> Double? {
    get { values[name] }
    set { values[name] = newValue }
  }

  /// The JSON object, its keys sorted after `iteration` and `step`.
  var line: String {
    var members = ["\"iteration\": \(iteration)", "\"step\": \(step)"]
    for (name, value) in values.sorted(by: { $0.key < $1.key }) {
      precondition(
        Self.isCamelCase(name) && name != "iteration" && name != "step",
        "'\(name)' is not a name for a metric: write camelCase")
      members.append("\"\(name)\": \(value.isFinite ? value.description : "null")")
    }
    return "{\(members.joined(separator: ", "))}\n"
  }

  /// Parses a line; nil if it is not a whole record.
  init?(line: some Sequence<UInt8>) {
    guard let object = try? JSONDecoder().decode([String: Double?].self, from: Data(line)),
      let iteration = object["iteration"].flatMap({ $0.flatMap { Int(exactly: $0) } }),
      let step = object["step"].flatMap({ $0.flatMap { Int(exactly: $0) } })
    else { return nil }
    self.init(iteration: iteration, step: step)
    for (name, value) in object where name != "iteration" && name != "step" {
      values[name] = value ?? .nan
    }
  }

  private static func isCamelCase(_ name: String) -> Bool {
    guard let first = name.unicodeScalars.first, ("a"..."z").contains(first) else { return false }
    return name.unicodeScalars.allSatisfy {
      ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0)
    }
  }
}
