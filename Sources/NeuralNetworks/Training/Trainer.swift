/// An algorithm that learns iteration by iteration, and goes on with the same bits from a saved state.
///
/// It knows nothing of run folders: whoever runs it writes its metrics and keeps its states.
public protocol Trainer: AnyObject {
  /// How it learns.
  associatedtype Configuration: Sendable

  /// How it learns.
  var configuration: Configuration { get }
  /// Finished iterations.
  var iteration: Int { get }
  /// How many there are to be.
  var iterations: Int { get }
  /// Whether nothing is left to do, which may be before all iterations are done.
  var isFinished: Bool { get }
  /// What curves are drawn over, such as environment steps or images so far.
  var step: Int { get }

  /// Learns for an iteration.
  ///
  /// - Throws: `NonFiniteGradient`, before it reaches a weight, and what the algorithm throws.
  func iterate() throws -> Metrics

  /// Everything that the following iterations depend on, besides the configuration.
  ///
  /// - Throws: `EncodingError` if a number is not finite.
  func trainingState() throws -> TrainingState

  /// Goes on from a saved state.
  ///
  /// - Throws: `ConfigurationError` for a setting that cannot change, `ParameterError` or `DecodingError` if
  ///   the state belongs to something else.
  func restore(_ state: TrainingState) throws
}

extension Trainer {
  /// Whether all iterations are done.
  public var isFinished: Bool { iteration >= iterations }

  /// The iteration.
  public var step: Int { iteration }
}

/// Numbers of an iteration by name, each of which knows how it joins those of other minibatches and
/// iterations.
public struct Metrics: Sendable, Codable {
  /// How several numbers of a name become one.
  public enum Kind: String, Sendable, Codable {
    /// Their mean; 0 of none.
    case mean
    /// Their sum.
    case sum
    /// The greatest, from 0.
    case maximum
    /// The last one.
    case latest
  }

  private struct Entry: Codable {
    let kind: Kind
    var total = 0.0
    var count = 0

    var value: Double { kind == .mean ? total / Double(max(count, 1)) : total }

    mutating func join(_ number: Double, count: Int) {
      self.count += count
      switch kind {
      case .mean, .sum: total += number
      case .maximum: total = max(total, number)
      case .latest: total = number
      }
    }
  }

  /// The names, in the order in which they were declared or first recorded.
  public private(set) var names: [String] = []
  private var entries: [String: Entry] = [:]
  /// Seconds by section, as in `("sample", 1.5)`: apart, because a restored training repeats its
  /// numbers, but not its times.
  public private(set) var seconds: [String: Double] = [:]
  /// The sections in the order of their first use.
  public private(set) var sections: [String] = []

  /// Names whose numbers are added one by one; none is there yet.
  public init(_ kinds: KeyValuePairs<String, Kind> = [:]) {
    for (name, kind) in kinds { declare(name, kind) }
  }

  private mutating func declare(_ name: String, _ kind: Kind) {
    names.append(name)
    entries[name] = Entry(kind: kind)
  }

  /// The number of that name; assigning one records it as the latest.
  public subscript(name: String) -> Double? {
    get { entries[name]?.value }
    set {
      if entries[name] == nil { names.append(name) }
      entries[name] = newValue.map { Entry(kind: .latest, total: $0, count: 1) }
      if newValue == nil { names.removeAll { $0 == name } }
    }
  }

  /// Adds a number to a name that was declared.
  public mutating func add(_ name: String, _ number: Double) {
    precondition(entries[name] != nil, "no metric '\(name)' among \(names)")
    entries[name]?.join(number, count: 1)
  }

  /// Counts time for a section.
  public mutating func add(_ duration: Duration, to section: String) {
    add(seconds: duration / .seconds(1), to: section)
  }

  /// Counts seconds for a section.
  public mutating func add(seconds number: Double, to section: String) {
    if seconds[section] == nil { sections.append(section) }
    seconds[section, default: 0] += number
  }

  /// Runs `body` and counts its time for a section.
  public mutating func measure<Result, Failure: Error>(
    _ section: String, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let start = ContinuousClock.now
    defer { add(ContinuousClock.now - start, to: section) }
    return try body()
  }

  /// Takes in the numbers of a following iteration, each by its kind, and its times.
  public mutating func join(_ next: Metrics) {
    for name in next.names {
      guard let entry = next.entries[name] else { continue }
      if entries[name] == nil { declare(name, entry.kind) }
      entries[name]?.join(entry.total, count: entry.count)
    }
    for section in next.sections { add(seconds: next.seconds[section] ?? 0, to: section) }
  }

  /// Whether nothing was recorded.
  public var isEmpty: Bool { names.isEmpty }

  /// The numbers by name, without times.
  public var values: [String: Double] { entries.mapValues(\.value) }
}
