import Diffusion
import Files
import NeuralNetworks
import Tensors
import TestSupport
import TextToImage

/// A case of a script that made goldens of U-Nets of clips.
struct ClipCase {
  let configuration: JSONValue
  /// Of a motion adapter, where there is one.
  let adapter: JSONValue?
  /// `[B, C, F, h, w]`
  let shape: [Int]
  let times: [Float]

  /// The cases of a file, by name.
  static func read(_ name: String) throws -> [String: ClipCase] {
    func numbers(_ value: JSONValue?) -> [Double] {
      guard case .array(let values) = value else { return [] }
      return values.compactMap { if case .number(let number) = $0 { number } else { nil } }
    }
    guard case .object(let members) = try JSONValue(path: Repository.golden(name)) else {
      throw GoldenError()
    }
    return try members.mapValues { value in
      guard case .object(let members) = value, let configuration = members["configuration"] else {
        throw GoldenError()
      }
      return ClipCase(
        configuration: configuration, adapter: members["adapter"],
        shape: numbers(members["shape"]).map { Int($0) },
        times: numbers(members["times"]).map { Float($0) })
    }
  }
}

/// A golden file does not say what its script writes.
struct GoldenError: Error {}

/// What a case's network sees, drawn as the script does.
struct ClipInputs {
  let sample: Tensor
  let prompt: Tensor
  let times: Broadcast<Float>
  /// What follows in the generator.
  var random: TorchRandom

  init(_ golden: ClipCase, promptSize: Int) {
    random = GoldenNetworks.inputs
    sample = random.normal(golden.shape).transposed([0, 2, 3, 4, 1])  // [B, F, h, w, C]
    prompt = random.normal([golden.shape[0], 4, promptSize])
    times = golden.times.count > 1 ? .perRow(golden.times) : .shared(golden.times[0])
  }

  /// The mean square of the prediction against a target that is drawn next, and its gradients.
  static func gradients(
    _ golden: ClipCase, promptSize: Int, _ network: some PromptedNetwork
  ) -> (loss: Float, gradients: Gradients) {
    var inputs = ClipInputs(golden, promptSize: promptSize)
    let target = inputs.random.normal(golden.shape).transposed([0, 2, 3, 4, 1])
    let (sample, prompt, times) = (inputs.sample, inputs.prompt, inputs.times)
    let (loss, _, gradients) = shardedValueAndGradients(count: 1, shardSize: 1) { _ in
      let prediction = network.prediction(
        sample, timeSteps: times, context: network.context(prompt))
      return ShardResult(loss: (prediction - target).squared().mean())
    }
    return (Float(loss), gradients)
  }
}
