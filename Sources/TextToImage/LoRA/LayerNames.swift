import NeuralNetworks

/// The names that files of low-rank changes give to a model's layers.
///
/// Names with `_` for `.` cannot be split back safely. So every spelling of every layer is made from
/// the model's own names, and what a file says is looked up:
///
/// | spelling | a layer of the U-Net, of the text encoder |
/// | --- | --- |
/// | peft, diffusers | `unet.LAYER`, `text_encoder.LAYER`; a file of the U-Net alone leaves `unet.` out |
/// | kohya | `lora_unet_LAYER`, `lora_te_LAYER`, with `_` for `.` |
/// | kohya, blocks of the original Stable Diffusion | `lora_unet_input_blocks_1_1_...` |
struct LayerNames {
  /// The full names of weights by the spelling of their layers.
  private var weights: [String: String] = [:]

  /// - Parameter parameters: of a model, named by part: `unet.*`, `text_encoder.*`.
  init(_ parameters: NamedParameters) {
    let names = parameters.map(\.name)
    let blocks = OriginalBlockNames(unetNames: names.compactMap { Self.stripped($0, "unet.") })
    for (name, parameter) in parameters {
      // Biases and norms have no rows and columns.
      guard let layer = Self.stripped(name, "", ending: ".weight"), parameter.value.rank >= 2
      else { continue }
      for spelling in Self.spellings(of: layer, blocks) { weights[spelling] = name }
    }
  }

  /// The full name of the weight that a file means by a layer; nil if the model has none.
  func weight(ofLayer spelled: String) -> String? {
    weights[spelled] ?? weights[Self.modernized(spelled)]
  }

  private static func spellings(of layer: String, _ blocks: OriginalBlockNames) -> [String] {
    func underscored(_ name: String) -> String { name.replacing(".", with: "_") }
    if let name = stripped(layer, "unet.") {
      let original = blocks.name(of: name).map { ["lora_unet_\($0)"] } ?? []
      return [layer, name, "lora_unet_\(underscored(name))"] + original
    }
    guard let name = stripped(layer, "text_encoder.") else { return [] }
    let plain = ["lora_te_\(underscored(name))", "lora_te1_\(underscored(name))"]
    // transformers 5 leaves the prefix out.
    let short = stripped(name, "text_model.").map { ["text_encoder.\($0)", $0] } ?? []
    return [layer, name] + plain + short
  }

  /// A name of older diffusers or of peft as newer ones have it.
  private static func modernized(_ spelled: String) -> String {
    var name = stripped(spelled, "base_model.model.") ?? spelled
    name = name.replacing(".processor.", with: ".")
    if name.hasSuffix(".to_out") { name += ".0" }
    for (old, new) in [
      (".self_attn.to_q", ".self_attn.q_proj"), (".self_attn.to_k", ".self_attn.k_proj"),
      (".self_attn.to_v", ".self_attn.v_proj"), (".self_attn.to_out.0", ".self_attn.out_proj"),
    ] where name.hasSuffix(old) { name = name.replacing(old, with: new) }
    return name
  }

  private static func stripped(
    _ name: String, _ beginning: String, ending: String = ""
  ) -> String? {
    guard name.hasPrefix(beginning), name.hasSuffix(ending) else { return nil }
    return String(name.dropFirst(beginning.count).dropLast(ending.count))
  }
}

/// The names that a U-Net's layers had in the original Stable Diffusion, with `_` for `.`: blocks are
/// numbered through, `input_blocks_4_1_transformer_blocks_0_attn1_to_q`.
struct OriginalBlockNames {
  /// The residual blocks of each block on the way down, and up.
  private let downLayers: [Int]
  private let upLayers: [Int]
  /// Whether a block on the way up attends: what follows its layers then stands a place further.
  private let upAttends: [Bool]

  /// - Parameter unetNames: diffusers' names of all parameters.
  init(unetNames: [String]) {
    func layers(_ blocks: String) -> [Int] {
      var counts: [Int] = []
      while true {
        let prefix = "\(blocks).\(counts.count).resnets."
        let layers = Set(
          unetNames.filter { $0.hasPrefix(prefix) }
            .map { $0.dropFirst(prefix.count).prefix { $0 != "." } })
        guard !layers.isEmpty else { return counts }
        counts.append(layers.count)
      }
    }
    downLayers = layers("down_blocks")
    upLayers = layers("up_blocks")
    upAttends = upLayers.indices.map { index in
      unetNames.contains { $0.hasPrefix("up_blocks.\(index).attentions.") }
    }
  }

  private static let inner = [
    "conv1": "in_layers_2", "conv2": "out_layers_3", "time_emb_proj": "emb_layers_1",
    "conv_shortcut": "skip_connection",
  ]
  private static let whole = [
    "conv_in": "input_blocks_0_0", "conv_out": "out_2",
    "time_embedding.linear_1": "time_embed_0", "time_embedding.linear_2": "time_embed_2",
  ]

  /// The name of a layer; nil where there was none like it.
  func name(of layer: String) -> String? {
    if let name = Self.whole[layer] { return name }
    let parts = layer.split(separator: ".").map(String.init)
    switch parts.first {
    case "mid_block" where parts.count > 3:
      let places = ["resnets.0": 0, "attentions.0": 1, "resnets.1": 2]
      guard let place = places["\(parts[1]).\(parts[2])"] else { return nil }
      return joined("middle_block_\(place)", parts.dropFirst(3))
    case "down_blocks" where parts.count > 4:
      guard let block = Int(parts[1]), let index = Int(parts[3]), downLayers.indices ~= block
      else { return nil }
      // Each block is followed by one that halves the image.
      let first = 1 + downLayers[..<block].reduce(0) { $0 + $1 + 1 }
      switch parts[2] {
      case "resnets": return joined("input_blocks_\(first + index)_0", parts.dropFirst(4))
      case "attentions": return joined("input_blocks_\(first + index)_1", parts.dropFirst(4))
      case "downsamplers": return "input_blocks_\(first + downLayers[block])_0_op"
      default: return nil
      }
    case "up_blocks" where parts.count > 4:
      guard let block = Int(parts[1]), let index = Int(parts[3]), upLayers.indices ~= block
      else { return nil }
      let first = upLayers[..<block].reduce(0, +)
      switch parts[2] {
      case "resnets": return joined("output_blocks_\(first + index)_0", parts.dropFirst(4))
      case "attentions": return joined("output_blocks_\(first + index)_1", parts.dropFirst(4))
      case "upsamplers":
        return "output_blocks_\(first + upLayers[block] - 1)_\(upAttends[block] ? 2 : 1)_conv"
      default: return nil
      }
    default: return nil
    }
  }

  private func joined(_ start: String, _ rest: ArraySlice<String>) -> String {
    guard rest.count == 1, let name = rest.first, let original = Self.inner[name] else {
      return ([start] + rest).joined(separator: "_")
    }
    return "\(start)_\(original)"
  }
}
