import Environments
import Tensors

/// What an encoder that does not learn makes of the chunks of a data set: each is read when it is
/// first in a batch, and never again.
///
/// A row's encoding does not depend on the other rows, so that batches are the same to the bit as those
/// whose images are read again.
final class EncodingCache {
  private let dataset: ChunkDataset
  private let encoder: any ObservationEncoder
  /// `[chunks, Dc]` row-major.
  private var encodings: [Float]
  private var isKnown: [Bool]

  /// - Parameters:
  ///   - dataset: has the images.
  ///   - encoder: one that does not change any more.
  init(_ dataset: ChunkDataset, encoder: any ObservationEncoder) {
    (self.dataset, self.encoder) = (dataset, encoder)
    encodings = [Float](repeating: 0, count: dataset.count * encoder.encodingSize)
    isKnown = [Bool](repeating: false, count: dataset.count)
  }

  /// The chunks of the given numbers, with encodings in place of images.
  func batch(_ indices: [Int]) -> ChunkBatch {
    readMissing(indices)
    let size = encoder.encodingSize
    let batch = dataset.batch(indices)
    var observations = batch.observations
    observations.images = [:]
    observations.encoding = Tensor(shape: [indices.count, size]) { target in
      for (row, index) in indices.enumerated() {
        for place in 0..<size { target[row * size + place] = encodings[index * size + place] }
      }
    }
    return ChunkBatch(observations: observations, chunks: batch.chunks)
  }

  /// Reads images again from now on: the encoder has other weights.
  func forget() { isKnown = [Bool](repeating: false, count: dataset.count) }

  private func readMissing(_ indices: [Int]) {
    let missing = Set(indices).filter { !isKnown[$0] }.sorted()
    guard !missing.isEmpty else { return }
    let read = dataset.batch(missing).observations.encoded(by: encoder, keepsImages: false)
    guard let encoding = read.encoding else { preconditionFailure("an encoder without encodings") }
    let size = encoder.encodingSize
    encoding.withUnsafeElements { source in
      for (row, index) in missing.enumerated() {
        for place in 0..<size { encodings[index * size + place] = source[row * size + place] }
        isKnown[index] = true
      }
    }
  }
}
