import Environments
import Foundation
import ONNX

/// What an exported policy's file tells of it in texts by name (`metadata_props`).
struct ExportMetadata {
  /// By name; lists of numbers are JSON.
  let texts: [String: String]

  /// - Throws: `EncodingError` if a number is not finite.
  init(
    _ checkpoint: PolicyCheckpoint, _ parts: PolicyGraphWriter.Parts, form: PolicyExport.Form
  ) throws {
    // As in the checkpoint: configuration, normalization, origin.
    var texts = try checkpoint.metadata()
    let configuration = checkpoint.configuration
    texts["form"] = form.rawValue
    texts["environment"] =
      configuration.environment.isNone ? "none" : configuration.environment.name
    texts["network"] = configuration.network.kind.rawValue
    texts["observation_steps"] = "\(configuration.observationSteps)"
    texts["horizon_steps"] = "\(configuration.horizonSteps)"
    texts["action_steps"] = "\(configuration.actionSteps)"
    texts["fine_tuned_steps"] = "\(checkpoint.fineTunedSteps)"
    texts["denoising_steps"] = "\(parts.denoisingSteps)"
    for (key, value) in checkpoint.origin { texts["origin.\(key)"] = value }
    for port in parts.graph.inputs { texts["input.\(port.value.name)"] = port.line }
    for port in parts.graph.outputs { texts["output.\(port.value.name)"] = port.line }
    if form == .denoisingStep {
      texts.merge(try checkpoint.normalization.observations.observationTexts) { first, _ in first }
      texts.merge(try checkpoint.normalization.actions.actionTexts) { first, _ in first }
    }
    texts.merge(parts.texts) { first, _ in first }
    self.texts = texts
  }
}

extension ONNXPort {
  /// As in "float32 [B, 4, 3]: the actions".
  var line: String { "\(value.element.rawValue) \(value.shapeText): \(description)" }
}

extension MinMaxNormalization {
  /// How observations are normalized, for those who do it outside of the graph.
  fileprivate var observationTexts: [String: String] {
    get throws {
      let map = observationMap
      return [
        "normalization": "(observation - minimum) * factor / divisor - shift",
        "normalization.minimum": try minimum.json, "normalization.factor": try map.factors.json,
        "normalization.divisor": try map.divisors.json, "normalization.shift": try map.shifts.json,
      ]
    }
  }

  /// How actions are brought into the environment's units.
  fileprivate var actionTexts: [String: String] {
    get throws {
      [
        "denormalization": "(chunk + 1) / 2 * range + minimum",
        "denormalization.minimum": try minimum.json,
        "denormalization.range": try zip(minimum, maximum).map { $1 - $0 }.json,
      ]
    }
  }
}

extension [Float] {
  /// A list of JSON, whose numbers read as float32 are these.
  var json: String {
    get throws { String(decoding: try JSONEncoder().encode(self), as: UTF8.self) }
  }
}
