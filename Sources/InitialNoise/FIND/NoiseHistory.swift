import NeuralNetworks
import Tensors

/// The noise of recent iterations with what became of it: each keeps its own reward, its density
/// under the distribution that drew it, and its advantage.
struct NoiseHistory {
  /// One iteration's.
  struct Entry {
    /// `[N, ...]`
    var noise: Tensor
    /// The log-densities under the prior that drew the noise, reduced: `[N]`, or `[N, ...]`.
    var logDensities: Tensor
    var rewards: [Float]
    var advantages: [Float]
  }

  private(set) var entries: [Entry] = []
  /// The most iterations.
  let length: Int

  init(length: Int) { self.length = length }

  /// Adds an iteration, and drops the stale.
  mutating func append(_ entry: Entry) {
    entries.append(entry)
    if entries.count > length { entries.removeFirst(entries.count - length) }
  }

  /// Sets the advantages of the newest iteration.
  mutating func calibrateLast(_ advantages: [Float]) {
    entries[entries.count - 1].advantages = advantages
  }

  /// All rewards.
  var rewards: [Float] { entries.flatMap(\.rewards) }

  func store(in state: inout TrainingState) {
    state.numbers["historyCount"] = entries.count
    for (index, entry) in entries.enumerated() {
      state.add(
        [
          "noise": entry.noise, "logDensities": entry.logDensities,
          "rewards": Tensor(entry.rewards), "advantages": Tensor(entry.advantages),
        ], under: "history.\(index)")
    }
  }

  mutating func restore(_ state: TrainingState) throws {
    entries = try (0..<state.number("historyCount")).map { index in
      let tensors = state.tensors(under: "history.\(index)")
      func tensor(_ name: String) throws -> Tensor {
        guard let tensor = tensors[name] else {
          throw ParameterError.missing(name: "history.\(index).\(name)", nearest: nil)
        }
        return tensor
      }
      return Entry(
        noise: try tensor("noise"), logDensities: try tensor("logDensities"),
        rewards: try tensor("rewards").elements, advantages: try tensor("advantages").elements)
    }
  }
}
