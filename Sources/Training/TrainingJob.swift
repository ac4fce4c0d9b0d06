import DiffusionPolicies
import Foundation
import NeuralNetworks
import Runs
import Tensors

/// What a run adds to its trainer: evaluations on the way, results and images; `TrainingLoop` decides
/// what of it is done when.
public protocol TrainingJob {
  /// The settings of its run.
  associatedtype Settings: RunConfiguration

  /// Where it is recorded.
  var run: Run<Settings> { get }
  /// What learns.
  var trainer: any Trainer { get }
  /// What an iteration is called.
  var unit: String { get }
  /// Iterations between lines of metrics.
  var reportInterval: Int { get }
  /// Iterations between checkpoints.
  var checkpointInterval: Int { get }
  /// The setting that says how many iterations there are to be.
  var iterationsKey: String { get }
  /// What it is all for, as in "policy".
  var resultNoun: String { get }
  /// Where that is.
  var resultPaths: [String] { get }

  /// Tries what later iterations and their images will need, before anything is learned; nothing is
  /// written.
  func check() throws
  /// Looks at what there is before the first iteration.
  mutating func begin() throws
  /// Adds evaluations that are due to a line of metrics.
  mutating func evaluate(into record: inout MetricsRecord, isLast: Bool) throws
  /// A few words of a line of metrics, for the line of progress.
  func words(for record: MetricsRecord) -> String
  /// All that is needed to go on from here.
  func checkpoint() throws -> Checkpoint
  /// Writes what the training is for, as it is now.
  func writeResults() throws
  /// Images and videos that show the present iteration, by their paths.
  var images: [String] { get }
  /// Draws them, after the iteration's checkpoint. What fails here is told, and the training goes on.
  mutating func drawImages() throws
}

extension TrainingJob {
  /// What an iteration is called.
  public var unit: String { "iteration" }
  /// Iterations between lines of metrics.
  public var reportInterval: Int { 1 }
  /// What it is all for.
  public var resultNoun: String { "state" }
  /// Where that is.
  public var resultPaths: [String] { [] }
  /// Images and videos that show the present iteration.
  public var images: [String] { [] }

  /// Tries what later iterations and their images will need.
  public func check() throws {}
  /// Looks at what there is before the first iteration.
  public mutating func begin() throws {}
  /// Adds evaluations that are due to a line of metrics.
  public mutating func evaluate(into record: inout MetricsRecord, isLast: Bool) throws {}
  /// Writes what the training is for, as it is now.
  public func writeResults() throws {}
  /// Draws them.
  public mutating func drawImages() throws {}

  /// The loss, if there is one.
  public func words(for record: MetricsRecord) -> String {
    record["loss"].map { "loss \($0.short)" } ?? ""
  }

  /// The trainer's state.
  public func checkpoint() throws -> Checkpoint {
    var checkpoint = Checkpoint(iteration: trainer.iteration)
    checkpoint.add(try trainer.trainingState())
    return checkpoint
  }
}

/// A trainer with a run folder and nothing else.
public struct PlainJob<Settings: RunConfiguration>: TrainingJob {
  /// Where it is recorded.
  public let run: Run<Settings>
  /// What learns.
  public let trainer: any Trainer
  /// Iterations between checkpoints.
  public let checkpointInterval: Int
  /// The setting that says how many iterations there are to be.
  public let iterationsKey: String

  /// Restores the trainer, if the run goes on.
  ///
  /// - Parameters:
  ///   - trainer: what learns, as it starts.
  ///   - run: where it is recorded.
  ///   - checkpointInterval: iterations between checkpoints.
  ///   - iterationsKey: the setting that says how many iterations there are to be.
  /// - Throws: what `restore` throws.
  public init(
    _ trainer: any Trainer, in run: Run<Settings>, checkpointInterval: Int = 1,
    iterationsKey: String = "iterations"
  ) throws {
    if let resumed = run.resumed { try trainer.restore(resumed.trainingState) }
    self.trainer = trainer
    self.run = run
    self.checkpointInterval = checkpointInterval
    self.iterationsKey = iterationsKey
  }
}

// MARK: States in checkpoints

extension Checkpoint {
  /// Adds what a training needs to go on, under `training.`.
  package mutating func add(_ state: TrainingState) {
    add(state.tensors, prefix: PolicyCheckpoint.trainingPrefix)
    for (name, number) in state.numbers { metadata["training.number.\(name)"] = String(number) }
    for (name, text) in state.texts { metadata["training.text.\(name)"] = text }
  }

  /// The state that was saved so.
  package var trainingState: TrainingState {
    var state = TrainingState()
    state.tensors = tensors(prefix: PolicyCheckpoint.trainingPrefix)
    for (key, text) in metadata {
      if key.hasPrefix("training.number.") {
        state.numbers[String(key.dropFirst("training.number.".count))] = Int(text)
      } else if key.hasPrefix("training.text.") {
        state.texts[String(key.dropFirst("training.text.".count))] = text
      }
    }
    return state
  }

  /// The checkpoint of a policy's training: a policy that can be used as it is, and under
  /// `training.` what the training needs to go on.
  package init(iteration: Int, _ policy: PolicyCheckpoint, _ state: TrainingState) throws {
    self.init(iteration: iteration, metadata: try policy.metadata())
    add(policy.weights)
    add(state)
  }

  /// The policy's weights.
  package var policyWeights: [String: Tensor] {
    tensors(prefix: "").filter { !$0.key.hasPrefix(PolicyCheckpoint.trainingPrefix) }
  }
}
