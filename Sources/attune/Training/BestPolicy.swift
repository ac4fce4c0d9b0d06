import DiffusionPolicies
import NeuralNetworks
import Runs

/// Keeps the best policy of a run as `policy.safetensors` in its folder.
struct BestPolicy {
  /// Where it is.
  let path: String
  private var best: Double?
  private static let key = "run.bestScore"

  /// Goes on from what a checkpoint knew.
  init(_ folder: String, resumed: Checkpoint?) {
    path = "\(folder)/policy.safetensors"
    best = resumed?.metadata[Self.key].flatMap(Double.init)
  }

  /// Writes a policy if it is better than all before.
  mutating func offer(_ policy: PolicyCheckpoint, score: Double, iteration: Int) throws {
    guard best.map({ score > $0 }) ?? true else { return }
    best = score
    var policy = policy
    policy.origin["iteration"] = String(iteration)
    try policy.write(to: path)
  }

  /// Lets a later run know the best score.
  func store(in checkpoint: inout Checkpoint) {
    if let best { checkpoint.metadata[Self.key] = String(best) }
  }
}

extension Run {
  /// Names iteration and last checkpoint where a loss or gradient is not finite.
  func stoppingAtNonFinite<Result>(iteration: Int, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as NonFiniteGradient {
      throw NonFiniteError(
        iteration: iteration, name: error.name, badCount: error.badCount, count: error.count,
        lastCheckpoint: checkpoints.latestPath)
    }
  }
}
