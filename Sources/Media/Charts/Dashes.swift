import Glibc

/// Cutting a chain of lines into dashes.
enum Dashes {
  /// The pieces to draw; `lengths` are drawn and left out in turn.
  static func cut(_ chain: [ChartPoint], lengths: [Double]) -> [[ChartPoint]] {
    precondition(lengths.count % 2 == 0 && lengths.allSatisfy { $0 > 0 }, "dashes of \(lengths)")
    var (pieces, piece) = ([[ChartPoint]](), chain.prefix(1).map(\.self))
    var (index, rest) = (0, lengths[0])
    for (start, end) in zip(chain, chain.dropFirst()) {
      let length = hypot(end.x - start.x, end.y - start.y)
      var done = 0.0
      while length - done > rest {
        done += rest
        let point = ChartPoint(
          x: start.x + (end.x - start.x) * done / length,
          y: start.y + (end.y - start.y) * done / length)
        if index % 2 == 0 {
          pieces.append(piece + [point])
          piece = []
        } else {
          piece = [point]
        }
        index = (index + 1) % lengths.count
        rest = lengths[index]
      }
      rest -= length - done
      if index % 2 == 0 { piece.append(end) }
    }
    if piece.count > 1 { pieces.append(piece) }
    return pieces
  }
}
