import DiffusionPolicies
import NeuralNetworks
import Runs

/// What a policy does otherwise after pretraining, with the same weights.
struct PolicyChanges: RunConfiguration {
  /// How chunks are denoised, `ddpm` or `ddim`; as in pretraining if there is none. DDIM's few
  /// steps cost a fraction of DDPM's, and each has more of the exploration to itself.
  var sampler: DenoisingConfiguration.Sampler?
  /// The denoising steps of DDIM; as in pretraining if there are none.
  var ddimStepCount: Int?
  /// The share of DDPM's noise that DDIM draws when the policy is judged; as in pretraining if
  /// there is none.
  var ddimEta: Float?
  /// Ta: the actions that are executed before the next decision; as in pretraining if there are
  /// none.
  var executedCount: Int?

  static let defaults = PolicyChanges()

  /// Makes them.
  ///
  /// - Throws: `SettingError` if the policy cannot be changed so.
  func apply(to policy: inout PolicyConfiguration) throws {
    if let sampler { policy.denoising.sampler = sampler }
    let limits = [
      ("policy.ddimStepCount", ddimStepCount, policy.denoising.stepCount),
      ("policy.executedCount", executedCount, policy.predictionCount),
    ]
    for (key, count, limit) in limits {
      guard let count else { continue }
      try SettingError.require((1...limit).contains(count), key, count, "1 to \(limit)")
    }
    if let ddimEta {
      try SettingError.require((0...1).contains(ddimEta), "policy.ddimEta", ddimEta, "0 to 1")
      policy.denoising.ddimEta = ddimEta
    }
    if let ddimStepCount { policy.denoising.ddimStepCount = ddimStepCount }
    if let executedCount { policy.executedCount = executedCount }
  }
}
