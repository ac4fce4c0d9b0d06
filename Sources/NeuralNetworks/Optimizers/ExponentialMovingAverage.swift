import Foundation
import Tensors

/// An exponential moving average of a network's parameters.
public struct ExponentialMovingAverage: Sendable {
  /// How much of the average each update keeps.
  public let decay: Float
  /// Whether the decay starts low, min(decay, (1 + n) / (10 + n)) at update n, so that the first
  /// random weights are soon forgotten.
  public let warmsUp: Bool
  /// Updates so far.
  public private(set) var updateCount = 0
  private var averages: [(name: String, value: Tensor)]

  /// An average that starts at the current values.
  public init(of parameters: NamedParameters, decay: Float, warmsUp: Bool = false) {
    precondition((0...1).contains(decay), "a decay lies between 0 and 1, not at \(decay)")
    self.decay = decay
    self.warmsUp = warmsUp
    averages = parameters.map { ($0.name, $0.parameter.value) }
  }

  /// Moves the average towards the current values: average += (value - average) (1 - decay).
  public mutating func update(from parameters: NamedParameters) {
    precondition(parameters.count == averages.count, "the average is of another network")
    updateCount += 1
    let n = Float(updateCount)
    let decay = warmsUp ? min(decay, (1 + n) / (10 + n)) : decay
    for (index, (_, parameter)) in parameters.enumerated() {
      averages[index].value.interpolate(towards: parameter.value, weight: 1 - decay)
    }
  }

  /// Takes over the current values, as before training has settled.
  public mutating func reset(to parameters: NamedParameters) {
    averages = parameters.map { ($0.name, $0.parameter.value) }
  }

  /// The averages by parameter name.
  public var values: [String: Tensor] {
    Dictionary(uniqueKeysWithValues: averages.map { ($0.name, $0.value) })
  }

  /// Goes on from saved averages.
  ///
  /// - Throws: `ParameterError` if they belong to another network.
  public mutating func restore(_ values: [String: Tensor], updateCount: Int) throws {
    averages = try averages.map { name, value in
      guard let saved = values[name] else {
        throw ParameterError.missing(name: name, nearest: nil)
      }
      guard saved.shape == value.shape else {
        throw ParameterError.shape(name: name, found: saved.shape, expected: value.shape)
      }
      return (name, saved)
    }
    self.updateCount = updateCount
  }
}
