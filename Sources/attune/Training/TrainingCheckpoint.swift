import DiffusionPolicies
import NeuralNetworks
import Runs
import Tensors

extension Checkpoint {
  /// The checkpoint of a policy's training: a policy that can be used as it is, and under
  /// `training.` what the training needs to go on.
  init(iteration: Int, _ policy: PolicyCheckpoint, _ state: TrainingState) throws {
    self.init(iteration: iteration, metadata: try policy.metadata())
    add(policy.weights)
    add(state)
  }

  /// Adds what a training needs to go on.
  mutating func add(_ state: TrainingState) {
    add(state.tensors, prefix: PolicyCheckpoint.trainingPrefix)
    for (name, number) in state.numbers { metadata["training.number.\(name)"] = String(number) }
    for (name, text) in state.texts { metadata["training.text.\(name)"] = text }
  }

  /// The state that was saved so.
  var trainingState: TrainingState {
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

  /// The policy's weights.
  var policyWeights: [String: Tensor] {
    tensors(prefix: "").filter { !$0.key.hasPrefix(PolicyCheckpoint.trainingPrefix) }
  }
}
