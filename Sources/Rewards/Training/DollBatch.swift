import CaptionedMedia
import Media
import Tensors

/// Dolls, painted and captioned.
struct DollBatch: Sendable {
  /// The images, `[B, H, W, 3]` in -1...1.
  let images: Tensor
  let captions: [String]
  let dolls: [Doll]

  /// The dolls of the given numbers, made by all workers.
  init(_ source: DollSource, at indices: Range<Int>) {
    precondition(!indices.isEmpty, "a batch of no dolls")
    let chunk = 16
    let chunkCount = (indices.count + chunk - 1) / chunk
    var parts = [(CaptionedMedia, [Doll])?](repeating: nil, count: chunkCount)
    parts.withUnsafeMutableBufferPointer { parts in
      WorkerPool.shared.forEach(chunkCount) { index in
        let first = indices.lowerBound + index * chunk
        let range = Array(first..<min(indices.upperBound, first + chunk))
        parts[index] = (source.batch(at: range), range.map(source.doll))
      }
    }
    let made = parts.compactMap { $0 }
    images = Tensor.concatenated(made.map(\.0.images), along: 0)
    captions = made.flatMap(\.0.captions)
    dolls = made.flatMap(\.1)
  }

  /// Which captions are true of which dolls: element `row * B + column` says whether the caption of
  /// `column` is true of the doll of `row`.
  ///
  /// Captions leave items out, so that one may be true of several dolls.
  func truth(_ parser: PromptParser) -> [Bool] { truth(parser, in: dolls.indices) }

  /// The same among some of the dolls and their captions.
  func truth(_ parser: PromptParser, in group: Range<Int>) -> [Bool] {
    let asked = captions[group].map { parser.attributes(in: $0).attributes }
    return zip(asked.indices, dolls[group]).flatMap { row, doll in
      asked.indices.map { column in
        row == column || asked[column].allSatisfy { $0.isPresent(in: doll) }
      }
    }
  }

}

extension Tensor {
  /// Images `[B, H, W, 3]` in -1...1 with normal noise, each with a standard deviation drawn from 0
  /// to `limit`, as a model may draw them.
  func noisyImages(limit: Double, seed: UInt64, firstIndex: Int) -> Tensor {
    guard limit > 0 else { return self }
    let imageShape = Array(shape.dropFirst())
    let noise = shardedMap(count: shape[0], shardSize: 16) { rows in
      Tensor.stacked(
        rows.map { row in
          var random = RandomStream(
            seed: seed, purpose: "noise of reward training", index: firstIndex + row)
          let std = Float(Double.random(in: 0..<limit, using: &random))
          return random.normal(imageShape, standardDeviation: std)
        })
    }
    return (self + noise).clamped(to: -1, 1)
  }
}
