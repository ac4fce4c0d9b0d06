import Tensors

/// Pictures and what they show.
public struct CaptionedImages: Sendable {
  /// The pictures, `[B, H, W, 3]` in -1...1.
  public let images: Tensor
  /// One caption for each picture.
  public let captions: [String]

  /// Pairs `images`, `[B, H, W, 3]`, with a caption each.
  public init(images: Tensor, captions: [String]) {
    precondition(
      images.rank == 4 && images.shape[0] == captions.count && images.shape[3] == 3,
      "\(captions.count) captions for images of shape \(images.shape), expected [B, H, W, 3]")
    self.images = images
    self.captions = captions
  }
}

/// Pairs of a picture and a caption, by number; may be asked from any thread.
public protocol CaptionedImageSource: Sendable {
  /// The number of pairs; nil if there is one for every number from 0.
  var count: Int? { get }
  /// Pixels in a row of each picture.
  var width: Int { get }
  /// Rows of each picture.
  var height: Int { get }

  /// The pairs of the given numbers; the same number gives the same pair.
  ///
  /// - Throws: an error that names the file if a picture cannot be read.
  func batch(at indices: [Int]) throws -> CaptionedImages

  /// The captions of the pairs of the given numbers.
  ///
  /// - Throws: what `batch(at:)` throws.
  func captions(at indices: [Int]) throws -> [String]
}

extension CaptionedImageSource {
  /// The captions of pairs, for sources that cannot tell them apart from their pictures.
  public func captions(at indices: [Int]) throws -> [String] { try batch(at: indices).captions }

  /// The batch that `order` gives next.
  public func batch(next order: inout PairOrder) throws -> CaptionedImages {
    precondition(
      order.count == count,
      "an order of \(order.count.map(String.init) ?? "endless") pairs for a source of "
        + (count.map(String.init) ?? "endless"))
    return try batch(at: order.next())
  }
}
