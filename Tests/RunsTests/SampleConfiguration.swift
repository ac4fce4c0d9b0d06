import Runs

/// Settings with everything that settings may have.
struct SampleConfiguration: RunConfiguration {
  enum Schedule: String, Codable, CaseIterable { case cosine, linear, constant }

  struct Network: RunConfiguration {
    var widths: [Int]
    var activation: String
    var dropout: Double?
    static let defaults = Network(widths: [512, 512], activation: "relu", dropout: nil)

    func validate() throws {
      guard widths.allSatisfy({ $0 > 0 }) else {
        throw ConfigurationError.badValue(
          key: "widths", found: widths, expected: "numbers above 0")
      }
    }
  }

  struct Evaluation: RunConfiguration {
    var every: Int
    var episodes: Int
    static let defaults = Evaluation(every: 10, episodes: 50)
  }

  var environment: String
  var parameters: [String: Double]
  var learningRate: Float
  var isNormalized: Bool
  var schedule: Schedule
  var network: Network
  var evaluation: Evaluation?
  var stages: [Evaluation]
  var seed: UInt64?

  static let defaults = SampleConfiguration(
    environment: "hopper", parameters: ["mass": 1], learningRate: 1e-5, isNormalized: true,
    schedule: .cosine, network: .defaults, evaluation: nil, stages: [], seed: nil)

  func validate() throws {
    guard learningRate > 0, learningRate < 1 else {
      throw ConfigurationError.badValue(
        key: "learningRate", found: learningRate, expected: "a number above 0 and below 1")
    }
    if let evaluation, evaluation.every < 1 {
      throw ConfigurationError.badValue(
        key: "evaluation.every", found: evaluation.every, expected: "at least 1")
    }
  }
}
