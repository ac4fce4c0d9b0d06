import DiffusionPolicies
import Foundation
import Runs

/// Keeps the best policy of a run as `policy.safetensors` in its folder.
struct BestPolicy {
  /// Where it is.
  let path: String
  private var best: Double?
  private var measure: Measure?
  private static let key = "run.bestScore"
  private static let measureKey = "run.bestMeasure"

  /// What scores are of; those of different kinds cannot be compared.
  enum Measure: String {
    /// Episodes in the environment.
    case evaluation
    /// The loss on held-out demonstrations, negated.
    case validationLoss
  }

  /// Goes on from what a checkpoint knew.
  init(_ folder: String, resumed: Checkpoint?) {
    path = "\(folder)/policy.safetensors"
    best = resumed?.metadata[Self.key].flatMap(Double.init)
    // Older checkpoints knew evaluations only.
    measure = best.map { _ in
      resumed?.metadata[Self.measureKey].flatMap(Measure.init) ?? .evaluation
    }
  }

  /// Writes a policy if it is better than all before by the same measure, or if there is none any
  /// more.
  mutating func offer(
    _ policy: PolicyCheckpoint, score: Double, of measure: Measure = .evaluation, iteration: Int
  ) throws {
    // Nothing would be better than a score that is no number.
    guard !score.isNaN else { return }
    if measure != self.measure { best = nil }
    guard best.map({ score > $0 }) ?? true || !exists else { return }
    best = score
    self.measure = measure
    try write(policy, iteration: iteration)
  }

  /// Writes a policy that nobody has judged, unless one that was judged is there.
  func offer(unjudged policy: PolicyCheckpoint, iteration: Int) throws {
    if best == nil || !exists { try write(policy, iteration: iteration) }
  }

  private var exists: Bool { FileManager.default.fileExists(atPath: path) }

  private func write(_ policy: PolicyCheckpoint, iteration: Int) throws {
    var policy = policy
    policy.origin["iteration"] = String(iteration)
    try policy.write(to: path)
  }

  /// Lets a later run know the best score.
  func store(in checkpoint: inout Checkpoint) {
    guard let best, let measure else { return }
    checkpoint.metadata[Self.key] = String(best)
    checkpoint.metadata[Self.measureKey] = measure.rawValue
  }
}
