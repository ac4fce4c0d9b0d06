import Environments
import Files
import Tensors

/// The ranges that observations and actions are mapped from to [-1, 1]; kept with a checkpoint.
///
/// An observation whose range is below 1e-6 counts as a constant, which becomes 0. The reference
/// adds 1e-6 to every range instead, so that its constants become -1 and explode when they change.
/// An action that never varied is that constant, whatever a policy says, here and there.
public struct DemonstrationNormalization: Equatable, Sendable, Codable {
  /// `Do` ranges.
  public let observations: MinMaxNormalization
  /// `Da` ranges.
  public let actions: MinMaxNormalization

  /// The reference adds it to the ranges that it normalizes by, not to those by which it takes
  /// actions back.
  static let referenceRangeOffset: Float = 1e-6

  private static let names = ["obs_min", "obs_max", "action_min", "action_max"]

  /// Takes both.
  public init(observations: MinMaxNormalization, actions: MinMaxNormalization) {
    self.observations = observations
    self.actions = actions
  }

  /// Measures all steps of demonstrations, of which there must be some.
  public init(of demonstrations: Demonstrations) {
    observations = MinMaxNormalization(
      ofRows: demonstrations.states, size: demonstrations.stateSize)
    actions = MinMaxNormalization(
      ofRows: demonstrations.actions, size: demonstrations.actionSize)
  }

  /// Reads the reference's `normalization.npz`.
  ///
  /// - Throws: `FileError` if an array is missing, `DemonstrationError` if they are no ranges.
  public init(contentsOf path: String) throws {
    let file = try NPZFile(path: path)
    let tensors = CheckedTensors(path: path)
    func range(_ low: String, _ high: String) throws -> MinMaxNormalization {
      let stored = try file.storedTensor(named: low)
      guard let size = stored.shape.first, size > 0 else {
        throw DemonstrationError.shape(
          path: path, tensor: low, found: stored.shape, expected: "[size]")
      }
      let minimum = try tensors.column(stored, named: low, count: size)
      let maximum = try tensors.column(
        file.storedTensor(named: high), named: high, count: size)
      if let index = (0..<size).first(where: { minimum[$0] > maximum[$0] }) {
        throw DemonstrationError.inconsistent(
          path: path, tensor: high, found: "component \(index) is \(maximum[index])",
          expected: "at least \(minimum[index]), its '\(low)'")
      }
      return MinMaxNormalization(minimum: minimum, maximum: maximum)
    }
    observations = try range(Self.names[0], Self.names[1])
    actions = try range(Self.names[2], Self.names[3])
  }

  /// - Throws: `DemonstrationError.inconsistent` if these are the ranges of other demonstrations.
  func requireSizes(of demonstrations: Demonstrations, path: String) throws(DemonstrationError) {
    let sizes = [
      (Self.names[0], observations.size, demonstrations.stateSize),
      (Self.names[2], actions.size, demonstrations.actionSize),
    ]
    for (name, found, expected) in sizes where found != expected {
      throw .inconsistent(
        path: path, tensor: name, found: "\(found) components",
        expected: "the \(expected) of the demonstrations")
    }
  }

  /// Writes the reference's `normalization.npz`.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(to path: String) throws(FileError) {
    let values = [observations.minimum, observations.maximum, actions.minimum, actions.maximum]
    let tensors = values.map { StoredTensor(Tensor($0)) }
    try NPZFile.write(
      Dictionary(uniqueKeysWithValues: zip(Self.names, tensors)), to: path)
  }
}

extension Demonstrations {
  /// The demonstrations in their own units, where a file holds them as DPPO's scripts write them:
  /// 2 (x - min) / (max - min + 1e-6) - 1, by which constants are -1.
  public func denormalized(by normalization: DemonstrationNormalization) -> Demonstrations {
    precondition(
      normalization.observations.size == stateSize && normalization.actions.size == actionSize,
      "ranges of \((normalization.observations.size, normalization.actions.size)) components for "
        + "\((stateSize, actionSize))")
    let offset = DemonstrationNormalization.referenceRangeOffset
    func denormalize(_ values: inout [Float], _ ranges: MinMaxNormalization) {
      for index in values.indices {
        let low = ranges.minimum[index % ranges.size]
        let range = ranges.maximum[index % ranges.size] - low + offset
        values[index] = (values[index] + 1) / 2 * range + low
      }
    }
    var result = self
    denormalize(&result.states, normalization.observations)
    denormalize(&result.actions, normalization.actions)
    return result
  }
}

extension Demonstrations {
  /// Rounding in a normalized file.
  private static let tolerance: Float = 1e-5
  /// DPPO's scripts add 1e-6 to every range, so that the largest value falls short of 1 by more,
  /// the smaller the range was.
  private static let minMaximum: Float = 0.99

  /// Whether all states and actions lie within [-1, 1], and each of their components touches both
  /// ends or is the constant -1: what DPPO's scripts make of any data.
  var touchesUnitRange: Bool {
    Self.touchesUnitRange(states, size: stateSize)
      && Self.touchesUnitRange(actions, size: actionSize)
  }

  private static func touchesUnitRange(_ values: [Float], size: Int) -> Bool {
    var (low, high) = (
      [Float](repeating: .infinity, count: size), [Float](repeating: -.infinity, count: size)
    )
    for (index, value) in values.enumerated() {
      guard abs(value) <= 1 + tolerance else { return false }
      low[index % size] = min(low[index % size], value)
      high[index % size] = max(high[index % size], value)
    }
    let touching = zip(low, high).map { $0 <= -1 + tolerance && $1 >= minMaximum }
    let constant = zip(low, high).map { $1 <= -1 + tolerance && $0 <= $1 }
    return touching.contains(true) && zip(touching, constant).allSatisfy { $0 || $1 }
  }

  /// How many numbers lie outside of [-1, 1], where those of a normalized file lie.
  var countOutsideUnitRange: Int {
    let limit = 1 + Self.tolerance
    return (states + actions).count { abs($0) > limit }
  }
}
