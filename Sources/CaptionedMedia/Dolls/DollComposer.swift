import Files
import Media
import Tensors

/// Draws random paper dolls, paints them and says what they are.
///
/// Everything is a function of the folder, the settings and (seed, index).
public struct DollComposer: Sendable {
  /// What the folder holds, and what may not go together.
  public let catalog: DollCatalog
  /// How often a doll has what.
  public let distribution: DollDistribution
  /// The color behind the dolls.
  public let background: Color
  /// The size of every layer, and of the images.
  public let width: Int, height: Int
  let layers: [Layer]
  let index: ItemIndex
  private let sampler: DollSampler

  /// A light grey-green; the outlines of the layers are black.
  public static let lightBackground = Color(0xE0E4E0)

  /// Reads a folder of layers: `captions.tsv`, `forbidden.tsv`, optionally `heldout_pairs.tsv` and
  /// `heldout.tsv`, and a PNG file `<layer>/<file>` of one size for each row of `captions.tsv`.
  ///
  /// - Throws: `FileError` if a table cannot be read, `CaptionedDataError` naming file and row if
  ///   one is broken, a layer is missing, or a setting is out of range.
  public init(
    folder: String, distribution: DollDistribution = DollDistribution(),
    background: Color = DollComposer.lightBackground
  ) throws {
    try distribution.validate()
    catalog = try DollCatalog(folder: folder)
    let basePhrases = catalog.phrases(of: .base)
    let usual = DollDistribution().baseEmphasis
    for phrase in distribution.baseEmphasis.keys.sorted()
    where !basePhrases.contains(phrase) && usual[phrase] == nil {
      throw CaptionedDataError(
        file: "doll distribution", problem: "baseEmphasis: there is no base '\(phrase)'",
        advice: phrase.nearest(among: basePhrases).map { "did you mean '\($0)'?" })
    }
    let images = try DollComposer.images(catalog.items, folder: folder)
    (width, height) = images.first.map { ($0.width, $0.height) } ?? (0, 0)
    layers = images.map(Layer.init)
    index = ItemIndex(catalog.items)
    self.distribution = distribution
    self.background = background
    sampler = DollSampler(catalog: catalog, distribution: distribution)
  }

  private static func images(_ items: [DollItem], folder: String) throws -> [Image] {
    var images: [Image] = []
    for (position, item) in items.enumerated() {
      let path = "\(folder)/\(item.slot.rawValue)/\(item.file)"
      func refusal(_ problem: String, advice: String? = nil) throws -> CaptionedDataError {
        let table = try TabSeparatedFile(path: folder + "/captions.tsv")
        return CaptionedDataError(
          file: table.path, row: table.rows[position + 1].line, problem: problem, advice: advice)
      }
      let image: Image
      do throws(ImageFileError) {
        image = try Image(contentsOfFile: path)
      } catch {
        throw try refusal("\(error)")
      }
      if let first = images.first, (first.width, first.height) != (image.width, image.height) {
        throw try refusal(
          "\(path) is \(image.width)x\(image.height), expected \(first.width)x\(first.height)",
          advice: "all layers must have the size of the first")
      }
      images.append(image)
    }
    return images
  }

  /// Whether there are held-out pairs to draw.
  public var hasHeldOutPairs: Bool { sampler.hasHeldOutPairs }

  /// A random doll.
  public func doll(seed: UInt64, index: Int, pairs: PairSelection = .training) -> Doll {
    var random = RandomStream(seed: seed, purpose: "doll \(pairs.rawValue)", index: index)
    return Doll(sampler.draw(pairs, random: &random).map { catalog.items[$0] })
  }

  /// A random doll like another: each slot is drawn anew with the variation's probability.
  ///
  /// The other doll's items must be in the catalog.
  func doll(
    like other: Doll, changeProbability: Double, seed: UInt64, index: Int, pairs: PairSelection
  ) -> Doll {
    var random = RandomStream(seed: seed, purpose: "doll like another", index: index)
    let positions = other.items.compactMap(self.index.position)
    let drawn = sampler.vary(
      positions, changeProbability: changeProbability, pairs, random: &random)
    return Doll(drawn.map { catalog.items[$0] })
  }

  /// A caption of a doll, which leaves out some of its optional items.
  public func caption(of doll: Doll, seed: UInt64, index: Int) -> String {
    var random = RandomStream(seed: seed, purpose: "doll caption", index: index)
    return doll.caption(
      mentionProbability: distribution.mentionProbability, random: &random)
  }

  /// Paints a doll, one layer over the other, as RGB.
  ///
  /// The doll's items must be in the catalog; see `validate(_:)`.
  public func image(of doll: Doll) -> Image {
    var image = Image(width: width, height: height, filledWith: background)
    image.withUnsafeMutableSamples { samples in
      for item in doll.items {
        guard let position = index.position(of: item) else {
          preconditionFailure("\(item.slot.rawValue)/\(item.file) is not a layer of these dolls")
        }
        layers[position].draw(on: samples)
      }
    }
    return image
  }

  /// Checks a doll that comes from elsewhere, such as a file.
  ///
  /// - Throws: `CaptionedDataError` if these layers do not have one of its items.
  public func validate(_ doll: Doll) throws(CaptionedDataError) {
    for item in doll.items where index.position(of: item) == nil {
      throw CaptionedDataError(
        file: "doll", problem: "\(item.slot.rawValue)/\(item.file) is not a layer of these dolls",
        advice: "use the folder that the doll was made from")
    }
  }
}
