import Media
import Tensors

/// Random paper dolls with captions, without end.
public struct DollSource: CaptionedMediaSource {
  /// Makes the dolls.
  public let composer: DollComposer
  /// Decides everything, together with a pair's number.
  public let seed: UInt64
  /// Which dolls are drawn.
  public let pairs: PairSelection
  /// The size of the images in pixels.
  public let width: Int, height: Int

  /// Which dolls are alike; nil if each is drawn for itself.
  public let groups: DollGroups?

  /// Draws from a composer; without a size, images have that of the layers.
  ///
  /// - Throws: `CaptionedDataError` if held-out pairs are asked for and the composer has none.
  public init(
    _ composer: DollComposer, seed: UInt64, pairs: PairSelection = .training, width: Int? = nil,
    height: Int? = nil, groups: DollGroups? = nil
  ) throws(CaptionedDataError) {
    guard pairs != .heldOut || composer.hasHeldOutPairs else {
      throw CaptionedDataError(
        file: "heldout_pairs.tsv", problem: "there are no held-out pairs to draw",
        advice: "put that file into the folder of the layers")
    }
    self.composer = composer
    self.seed = seed
    self.pairs = pairs
    self.groups = groups
    self.width = width ?? composer.width
    self.height = height ?? composer.height
    precondition(self.width > 0 && self.height > 0, "images of \(self.width)x\(self.height)")
  }

  /// Nil: there is a doll for every number.
  public var count: Int? { nil }

  /// The doll of a number.
  public func doll(at index: Int) -> Doll {
    guard let groups else { return composer.doll(seed: seed, index: index, pairs: pairs) }
    let first = index - index % groups.size
    let leader = composer.doll(seed: seed, index: first, pairs: pairs)
    return index == first
      ? leader
      : composer.doll(
        like: leader, changeProbability: groups.changeProbability, seed: seed, index: index,
        pairs: pairs)
  }

  /// The dolls of the given numbers, painted and captioned.
  public func batch(at indices: [Int]) -> CaptionedMedia {
    let dolls = indices.map(doll)
    let images = dolls.map {
      composer.image(of: $0).fitted(
        width: width, height: height, background: composer.background)
    }
    return CaptionedMedia(
      images: SampleTable.batch(images, width: width, height: height),
      captions: captions(of: dolls, at: indices))
  }

  /// The captions of the dolls of the given numbers, which need no painting.
  public func captions(at indices: [Int]) -> [String] {
    captions(of: indices.map(doll), at: indices)
  }

  private func captions(of dolls: [Doll], at indices: [Int]) -> [String] {
    zip(indices, dolls).map { composer.caption(of: $1, seed: seed, index: $0) }
  }
}
