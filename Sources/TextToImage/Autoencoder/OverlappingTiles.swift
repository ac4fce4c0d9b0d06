import Tensors

/// Square tiles that overlap by a quarter, transformed one by one and blended where they overlap.
struct OverlappingTiles {
  /// The side of a tile before the transform.
  let inputSide: Int
  /// The side of a tile after it.
  let outputSide: Int

  private var stride: Int { max(1, inputSide * 3 / 4) }
  private var blend: Int { outputSide / 4 }

  /// `[B, H, W, C]` through a transform of tiles.
  func map(_ x: Tensor, _ transform: (Tensor) -> Tensor) -> Tensor {
    let kept = outputSide - blend
    var above: [Tensor] = []
    var rows: [Tensor] = []
    for top in Swift.stride(from: 0, to: x.shape[1], by: stride) {
      let band = x.slice(top..<min(top + inputSide, x.shape[1]), along: 1)
      var row: [Tensor] = []
      for left in Swift.stride(from: 0, to: x.shape[2], by: stride) {
        var tile = transform(band.slice(left..<min(left + inputSide, x.shape[2]), along: 2))
        if !above.isEmpty { tile = blended(above[row.count], tile, along: 1) }
        if let neighbour = row.last { tile = blended(neighbour, tile, along: 2) }
        row.append(tile)
      }
      rows.append(
        .concatenated(
          row.map {
            $0.slice(0..<min(kept, $0.shape[1]), along: 1)
              .slice(0..<min(kept, $0.shape[2]), along: 2)
          }, along: 2))
      above = row
    }
    return .concatenated(rows, along: 1)
  }

  /// The tile with its first rows or columns fading in from the last ones of its neighbour.
  private func blended(_ neighbour: Tensor, _ tile: Tensor, along dimension: Int) -> Tensor {
    let extent = min(neighbour.shape[dimension], tile.shape[dimension], blend)
    guard extent > 0 else { return tile }
    let size = neighbour.shape[dimension]
    var shape = [1, 1, 1, 1]
    shape[dimension] = extent
    let weights = Tensor(
      shape: shape, elements: (0..<extent).map { Float($0) / Float(extent) })
    let fading =
      neighbour.slice((size - extent)..<size, along: dimension) * (1 - weights)
      + tile.slice(0..<extent, along: dimension) * weights
    let rest = tile.slice(extent..<tile.shape[dimension], along: dimension)
    return .concatenated([fading, rest], along: dimension)
  }
}
