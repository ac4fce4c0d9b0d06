import DiffusionPolicies
import Foundation
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

  /// Writes a policy if it is better than all before, or if there is none any more.
  mutating func offer(_ policy: PolicyCheckpoint, score: Double, iteration: Int) throws {
    guard best.map({ score > $0 }) ?? true || !exists else { return }
    best = score
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
    if let best { checkpoint.metadata[Self.key] = String(best) }
  }
}
