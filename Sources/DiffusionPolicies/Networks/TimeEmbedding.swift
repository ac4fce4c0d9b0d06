import Diffusion
import NeuralNetworks
import Tensors

/// Sinusoids of the diffusion time through two linear layers, named as in the DPPO reference.
final class TimeEmbedding: Module {
  let size: Int
  let sinusoids: SinusoidalEmbedding
  let first: Linear
  let second: Linear

  init(size: Int, hiddenSize: Int, random: inout some RandomSource) {
    self.size = size
    sinusoids = SinusoidalEmbedding(size: size)
    first = Linear(inputSize: size, outputSize: hiddenSize, random: &random)
    second = Linear(inputSize: hiddenSize, outputSize: size, random: &random)
  }

  /// `[times.count, size]`
  func callAsFunction(_ times: [Float]) -> Tensor {
    second(first(sinusoids(times), activation: .mish))
  }

  /// The embeddings of a minibatch, each distinct time embedded once: `[1, size]` for a shared
  /// time, else `[B, size]`.
  func rows(of timeSteps: Broadcast<Float>) -> Tensor { bound(to: [])(timeSteps) }

  /// What `function` makes of the embeddings of a chain's times, computed at once.
  ///
  /// - Parameters:
  ///   - times: those of the chain; others are computed when they are asked for.
  ///   - function: makes `[times, ...]` of embeddings `[times, size]`, each row for itself.
  /// - Returns: a function of the time: `[1, ...]` for a shared one, else `[B, ...]`.
  func bound(
    to times: [Float], _ function: @escaping (Tensor) -> Tensor = { $0 }
  ) -> (Broadcast<Float>) -> Tensor {
    let table = times.isEmpty ? nil : function(self(times))
    var rows: [Float: Tensor] = [:]
    for (index, time) in times.enumerated() { rows[time] = table?.slice(index..<(index + 1)) }
    return { [self, rows] timeSteps in
      switch timeSteps {
      case .shared(let time): return rows[time] ?? function(self([time]))
      case .perRow(let times):
        var positions: [Float: Int] = [:]
        var distinct: [Float] = []
        let indices = times.map { time in
          if let position = positions[time] { return position }
          positions[time] = distinct.count
          distinct.append(time)
          return distinct.count - 1
        }
        return function(self(distinct)).gather(indices)
      }
    }
  }

  /// `1.*` and `3.*`: the reference's list also numbers the sinusoids and the activation.
  func collect(into parameters: inout NamedParameters) {
    parameters.add("1", first)
    parameters.add("3", second)
  }
}

extension Linear {
  /// The columns of the weight that meet one part of the input, `[outputSize, range.count]`.
  func weight(forInputs range: Range<Int>) -> Tensor { weight.tensor.slice(range, along: 1) }

  /// `[B, outputSize]`: what the last inputs, from `start` on, and the bias add to the sum.
  func contribution(ofInputsFrom start: Int, _ x: Tensor) -> Tensor {
    x.linear(weight: weight(forInputs: start..<(start + x.size(-1))), bias: bias?.tensor)
  }
}
