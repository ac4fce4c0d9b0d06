import Files
import Tensors
import Testing

@testable import DiffusionPolicies

/// What a training does not learn from is known before it starts.
@Suite struct PretrainingNotesTests {
  private func training(
    lengths: [Int],
    _ change: (inout PretrainingConfiguration, inout DemonstrationConfiguration) -> Void
  ) throws -> Pretraining {
    var policy = PolicyConfiguration()
    policy.network.hiddenSizes = [16, 16, 16]
    policy.horizonSteps = 4
    policy.denoising.stepCount = 4
    var configuration = PretrainingConfiguration()
    configuration.batchSize = 8
    var settings = DemonstrationConfiguration()
    settings.path = try DemonstrationGoldens.temporary("demonstrations.npz")
    try DemonstrationGoldens.counting(lengths: lengths).write(to: settings.path)
    change(&configuration, &settings)
    return try Pretraining(
      policy: policy, configuration: configuration, demonstrations: settings, seed: 1)
  }

  /// A short episode in the validation part refused the training once.
  @Test func shortEpisodesAreCounted() throws {
    for seed in 0..<6 {
      var lengths = [9, 9, 9, 9, 9, 9]
      lengths[seed] = 2
      let training = try training(lengths: lengths) { $1.validationFraction = 0.2 }
      #expect(training.dataset.count == 4 * 6 && training.validation?.count == 6)
      #expect(training.notes.contains { $0.contains("1 of 6 episodes shorter than the 4 steps") })
    }
  }

  @Test func everyNoteArrives() throws {
    let training = try training(lengths: [9]) {
      $0.batchSize = 256
      $1.validationFraction = 0.5
    }
    for part in ["no 'rewards'", "nothing is held out", "all 6 chunks, fewer than"] {
      #expect(training.notes.count { $0.contains(part) } == 1, "\(training.notes)")
    }
    #expect(training.validation == nil)
  }
}
