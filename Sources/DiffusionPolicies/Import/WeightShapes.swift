/// The shapes of a network's weights by name, from which its sizes can be told.
struct WeightShapes {
  /// An MLP's sizes.
  struct Layers {
    var inputSize: Int
    /// All layers but the last.
    var hiddenSizes: [Int]
    var outputSize: Int
    var isResidual: Bool
    var usesLayerNorm: Bool
  }

  private let shapes: [String: [Int]]

  init(_ shapes: [String: [Int]]) { self.shapes = shapes }

  /// Any of the names, the same every time.
  var firstName: String? { shapes.keys.min() }

  /// A weight's shape if it is there and has as many dimensions.
  subscript(name: String, rank rank: Int) -> [Int]? {
    shapes[name].flatMap { $0.count == rank ? $0 : nil }
  }

  func has(_ name: String) -> Bool { shapes[name] != nil }

  /// How many of a numbered list's entries have a weight of this name.
  func count(_ name: (Int) -> String) -> Int {
    (0...).first { !has(name($0)) } ?? 0
  }

  /// The MLP whose weights start with `prefix`; nil if there is none.
  func mlp(_ prefix: String) -> Layers? {
    residualMLP(prefix) ?? plainMLP(prefix)
  }

  private func residualMLP(_ prefix: String) -> Layers? {
    let blockCount = count { "\(prefix).layers.\($0 + 1).l1.weight" }
    guard let first = self["\(prefix).layers.0.weight", rank: 2],
      let last = self["\(prefix).layers.\(blockCount + 1).weight", rank: 2]
    else { return nil }
    return Layers(
      inputSize: first[1], hiddenSizes: Array(repeating: first[0], count: 2 * blockCount + 1),
      outputSize: last[0], isResidual: true,
      usesLayerNorm: has("\(prefix).layers.1.norm1.weight")
        || has("\(prefix).layers.\(blockCount + 2).weight"))
  }

  private func plainMLP(_ prefix: String) -> Layers? {
    let layerCount = count { "\(prefix).moduleList.\($0).linear_1.weight" }
    let layers = (0..<layerCount).compactMap {
      self["\(prefix).moduleList.\($0).linear_1.weight", rank: 2]
    }
    guard let first = layers.first, let last = layers.last, layers.count == layerCount else {
      return nil
    }
    return Layers(
      inputSize: first[1], hiddenSizes: layers.dropLast().map { $0[0] }, outputSize: last[0],
      isResidual: false, usesLayerNorm: has("\(prefix).moduleList.0.norm_1.weight"))
  }
}
