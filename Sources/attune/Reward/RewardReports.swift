import Foundation
import Rewards
import Runs

/// The reports of the steps since the last line of metrics; kept in checkpoints, so that a run that
/// was stopped between two lines writes the line that it would have written.
struct RewardReports: Codable {
  private var losses: [Double] = []
  private var accuracies: [Double] = []
  private var gradientNorms: [Double] = []
  private var learningRate = 0.0
  private static let key = "run.rewardReports"

  /// Goes on from what a checkpoint knew.
  init(resumed: Checkpoint?) throws {
    guard let text = resumed?.metadata[Self.key] else { return }
    self = try JSONDecoder().decode(Self.self, from: Data(text.utf8))
  }

  /// Adds a step.
  mutating func append(_ report: RewardTrainingReport) {
    losses.append(report.loss)
    accuracies.append(report.accuracy)
    gradientNorms.append(report.gradientNorm)
    learningRate = report.learningRate
  }

  /// Lets a later run know them.
  func store(in checkpoint: inout Checkpoint) throws {
    if losses.isEmpty { return }
    checkpoint.metadata[Self.key] = String(
      decoding: try JSONEncoder().encode(self), as: UTF8.self)
  }

  /// Writes the means, and forgets the steps.
  mutating func flush(into record: inout MetricsRecord) {
    func mean(_ numbers: [Double]) -> Double {
      numbers.reduce(0, +) / Double(max(1, numbers.count))
    }
    record["loss"] = mean(losses)
    record["accuracy"] = mean(accuracies)
    record["gradientNorm"] = mean(gradientNorms)
    record["learningRate"] = learningRate
    losses.removeAll()
    accuracies.removeAll()
    gradientNorms.removeAll()
  }
}
