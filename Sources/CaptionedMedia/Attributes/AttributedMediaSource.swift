import Tensors

/// Images or clips, and what fills their slots.
public struct AttributedMedia: Sendable {
  /// The images, `[B, H, W, 3]`, or the clips, `[B, F, H, W, 3]`, in -1...1.
  public let images: Tensor
  /// The phrase in each slot that is not empty, for each image or clip.
  public let attributes: [[AttributeSlot: String]]

  /// Pairs images or clips with what they show.
  public init(images: Tensor, attributes: [[AttributeSlot: String]]) {
    precondition(
      images.shape[0] == attributes.count,
      "\(attributes.count) descriptions of images of shape \(images.shape)")
    self.images = images
    self.attributes = attributes
  }
}

/// Images or clips of which it is known what they show, without end: what a classifier learns from.
public protocol AttributedMediaSource: Sendable {
  /// The slots, and the phrases that may fill each.
  var slots: [(slot: AttributeSlot, phrases: [String])] { get }
  /// Frames of each clip; nil for images.
  var frames: Int? { get }
  /// Pixels in a row of each image.
  var width: Int { get }
  /// Rows of each image.
  var height: Int { get }

  /// Those of the given numbers; the same number gives the same one, from any thread.
  func attributed(at indices: [Int]) -> AttributedMedia
}

extension AttributedMediaSource {
  /// Those of the given numbers, made by all workers.
  public func attributed(in indices: Range<Int>) -> AttributedMedia {
    precondition(!indices.isEmpty, "a batch of nothing")
    let chunk = 16
    let chunkCount = (indices.count + chunk - 1) / chunk
    var parts = [AttributedMedia?](repeating: nil, count: chunkCount)
    parts.withUnsafeMutableBufferPointer { parts in
      WorkerPool.shared.forEach(chunkCount) { index in
        let first = indices.lowerBound + index * chunk
        parts[index] = attributed(at: Array(first..<min(indices.upperBound, first + chunk)))
      }
    }
    let made = parts.compactMap { $0 }
    return AttributedMedia(
      images: .concatenated(made.map(\.images), along: 0), attributes: made.flatMap(\.attributes))
  }
}

extension DollSource: AttributedMediaSource {
  /// The slots of the catalog.
  public var slots: [(slot: AttributeSlot, phrases: [String])] { composer.catalog.attributePhrases }

  /// The dolls of the given numbers.
  public func attributed(at indices: [Int]) -> AttributedMedia {
    AttributedMedia(
      images: batch(at: indices).images, attributes: indices.map { doll(at: $0).attributes })
  }
}
