import Files
import Tensors

/// Images or clips, and what they show.
public struct CaptionedMedia: Sendable {
  /// The images, `[B, H, W, 3]`, or the clips, `[B, F, H, W, 3]`, in -1...1.
  public let images: Tensor
  /// One caption for each image or clip.
  public let captions: [String]

  /// Pairs `images`, `[B, H, W, 3]`, or clips, `[B, F, H, W, 3]`, with a caption each.
  public init(images: Tensor, captions: [String]) {
    precondition(
      (4...5).contains(images.rank) && images.shape[0] == captions.count
        && images.shape.last == 3,
      """
      \(captions.count) captions for images of shape \(images.shape), expected [B, H, W, 3] or \
      [B, F, H, W, 3]
      """)
    self.images = images
    self.captions = captions
  }
}

/// Pairs of an image, or a clip, and a caption, by number; may be asked from any thread.
public protocol CaptionedMediaSource: Sendable {
  /// The number of pairs; nil if there is one for every number from 0.
  var count: Int? { get }
  /// Frames of each clip; nil for images.
  var frames: Int? { get }
  /// Pixels in a row of each image.
  var width: Int { get }
  /// Rows of each image.
  var height: Int { get }

  /// The pairs of the given numbers; the same number gives the same pair.
  ///
  /// - Throws: an error that names the file if an image cannot be read.
  func batch(at indices: [Int]) throws -> CaptionedMedia

  /// The captions of the pairs of the given numbers.
  ///
  /// - Throws: what `batch(at:)` throws.
  func captions(at indices: [Int]) throws -> [String]
}

extension CaptionedMediaSource {
  /// Nil: images.
  public var frames: Int? { nil }

  /// The captions of pairs, for sources that cannot tell them apart from their images.
  public func captions(at indices: [Int]) throws -> [String] { try batch(at: indices).captions }

  /// The batch that `order` gives next.
  public func batch(next order: inout PairOrder) throws -> CaptionedMedia {
    precondition(
      order.count == count,
      "an order of \(order.count.map(String.init) ?? "endless") pairs for a source of "
        + (count.map(String.init) ?? "endless"))
    return try batch(at: order.next())
  }
}

/// Which pairs of a source each batch has, one batch after the other, for ever.
///
/// Batch n is a function of the arguments and n alone: encode the order, or keep `nextBatch`, to
/// resume exactly. An endless source gives its pairs in turn; of others each pair comes once an
/// epoch, and batches run on over the end of an epoch.
public struct PairOrder: Sendable, Codable {
  /// The number of pairs in an epoch; nil if they never end.
  public let count: Int?
  /// The number of pairs in a batch.
  public let batchSize: Int
  /// The number of the batch that `next()` gives, from 0; set it to go elsewhere.
  public var nextBatch = 0
  private let random: RandomStream
  /// The permutation of an epoch that was asked for last.
  private var permutation: (epoch: Int, indices: [Int])?

  private enum CodingKeys: String, CodingKey { case count, batchSize, nextBatch, random }

  /// Orders the pairs of a source; `seed` decides the permutations.
  public init(count: Int?, batchSize: Int, seed: UInt64) {
    precondition(batchSize > 0 && count ?? 1 > 0, "batches of \(batchSize) of \(count ?? 0) pairs")
    self.count = count
    self.batchSize = batchSize
    random = RandomStream(seed: seed, purpose: "order of captioned images")
  }

  /// The numbers of the next batch's pairs.
  public mutating func next() -> [Int] {
    let start = nextBatch * batchSize
    nextBatch += 1
    let numbers = start..<start + batchSize
    guard let count else { return Array(numbers) }
    return numbers.map { indices(ofEpoch: $0 / count)[$0 % count] }
  }

  private mutating func indices(ofEpoch epoch: Int) -> [Int] {
    if let permutation, permutation.epoch == epoch { return permutation.indices }
    var draws = random.split(epoch, purpose: "epoch")
    let indices = draws.permutation(count ?? 0)
    permutation = (epoch, indices)
    return indices
  }
}

/// Captioned images that cannot be used: the file, the row in it, what was found and what to do.
public struct CaptionedDataError: Error, Equatable, CustomStringConvertible {
  /// The file or folder, or the name of the settings.
  public let file: String
  /// The line in that file, from 1.
  public let row: Int?
  /// What was found, and what was expected.
  public let problem: String
  /// What to do next.
  public let advice: String?

  /// Describes a failure; texts taken from the file may be hostile, `description` escapes them.
  public init(file: String, row: Int? = nil, problem: String, advice: String? = nil) {
    self.file = file
    self.row = row
    self.problem = problem
    self.advice = advice
  }

  /// One line: `file: row 3: problem; advice`.
  public var description: String {
    var text = file.printable
    if let row { text += ": row \(row)" }
    text += ": \(problem.printable)"
    if let advice { text += "; \(advice.printable)" }
    return text
  }
}
