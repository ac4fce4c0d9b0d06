import Files

/// alpha of layers as peft notes it apart from tensors: in a file's metadata (diffusers) or in
/// `adapter_config.json`. Without any, alpha is r.
struct LoRAAlphas {
  /// What is noted for one part of a model.
  private struct Part {
    var alpha: Float?
    /// By the end of a layer's name.
    var patterns: [String: Float] = [:]
    /// alpha / sqrt(r) rather than alpha / r (Kalajdzievski, arXiv:2312.03732).
    var usesRootOfRank = false
  }

  private var parts: [String: Part] = [:]
  /// diffusers' key in the metadata.
  private static let metadataKey = "lora_adapter_metadata"

  /// - Parameter adapterConfiguration: the path of peft's file, which is of one part; nil for none.
  init(adapterConfiguration path: String?) throws {
    guard let path else { return }
    let json = try JSONValue(path: path)
    guard case .object(let members) = json else {
      throw FileError(.malformed, path: path, problem: "is not a JSON object")
    }
    parts[""] = try Self.part(members, path: path)
  }

  /// Reads what diffusers notes of each part, such as `unet.lora_alpha`.
  mutating func read(metadata: [String: String], path: String) throws {
    guard let text = metadata[Self.metadataKey] else { return }
    let json = try JSONValue(text: text, path: path, item: Self.metadataKey)
    guard case .object(let members) = json else {
      throw FileError(
        .malformed, path: path, item: Self.metadataKey, problem: "is not a JSON object")
    }
    for part in ["unet", "text_encoder", "text_encoder_2"] {
      let own = members.filter { $0.key.hasPrefix("\(part).") }
      guard !own.isEmpty else { continue }
      let plain = own.map { (String($0.key.dropFirst(part.count + 1)), $0.value) }
      parts[part] = try Self.part(Dictionary(uniqueKeysWithValues: plain), path: path)
    }
  }

  private static func part(_ members: [String: JSONValue], path: String) throws -> Part {
    func number(_ value: JSONValue, _ key: String) throws -> Float {
      guard case .number(let number) = value, number.isFinite else {
        throw FileError(
          .malformed, path: path, item: key, problem: "is \(value.text), not a finite number")
      }
      return Float(number)
    }
    if members["use_dora"] == true {
      throw FileError(
        .unsupported, path: path, item: "use_dora", problem: "is true: DoRA is not supported",
        advice: "take a LoRA")
    }
    var part = Part()
    part.usesRootOfRank = members["use_rslora"] == true
    if let alpha = members["lora_alpha"], alpha != .null {
      part.alpha = try number(alpha, "lora_alpha")
    }
    if case .object(let patterns) = members["alpha_pattern"] ?? .null {
      for (pattern, alpha) in patterns {
        let isName = pattern.allSatisfy { $0.isLetter || $0.isNumber || "._".contains($0) }
        guard isName else {
          throw FileError(
            .unsupported, path: path, item: "alpha_pattern",
            problem: "has the pattern '\(pattern.printable)', which is not a layer's name")
        }
        part.patterns[pattern] = try number(alpha, "alpha_pattern")
      }
    }
    return part
  }

  /// alpha / r of a layer, as the file spells it.
  ///
  /// - Parameters:
  ///   - rank: r.
  ///   - own: alpha, where the file has it beside the layer's tensors.
  func factor(of layer: String, rank: Int, own: Float?, path: String) throws -> Float {
    let name = layer.split(separator: ".").first.map(String.init) ?? ""
    let part = parts[name] ?? parts[""] ?? Part()
    let pattern = part.patterns.first { layer == $0.key || layer.hasSuffix(".\($0.key)") }
    guard let alpha = own ?? pattern?.value ?? part.alpha else { return 1 }
    return part.usesRootOfRank ? alpha / Float(rank).squareRoot() : alpha / Float(rank)
  }
}
