import CaptionedImages
import Media
import Tensors

/// How often images show what their prompts ask for, as a classifier and the layers themselves
/// see it.
public struct PromptAccuracy: Sendable {
  /// Whether each attribute asked for is there, 1 or 0, by slot; an attribute whose slot is open
  /// counts for the first it may be in.
  public private(set) var bySlot: [DollSlot: [Double]] = [:]
  /// The share of what its prompt asks for that each image has; images of prompts that ask for
  /// nothing are left out.
  public private(set) var fractions: [Double] = []
  /// Whether each image shows the items of the top layers that its prompt asks for, by comparison
  /// with the layers; images of prompts that ask for none are left out.
  public private(set) var layers: [Double] = []
  private let classifier: AttributeClassifier
  private let parser: PromptParser
  private let comparison: LayerComparison?

  /// Counts nothing yet; without a composer, layers are not compared.
  public init(classifier: AttributeClassifier, composer: DollComposer? = nil) {
    self.classifier = classifier
    parser = PromptParser(phrases: classifier.classes.slots)
    comparison = composer.map { LayerComparison($0) }
  }

  /// Whether each image has everything that its prompt asks for, 1 or 0, of those in `fractions`.
  public var completeImages: [Double] { fractions.map { $0 == 1 ? 1 : 0 } }

  /// Looks at images of prompts, one each.
  public mutating func add(_ images: [Image], prompts: [String]) {
    precondition(
      images.count == prompts.count, "\(images.count) images for \(prompts.count) prompts")
    for (index, seen) in classifier.seen(in: images).enumerated() {
      let wanted = parser.attributes(in: prompts[index])
      for attribute in wanted.attributes {
        bySlot[attribute.slots[0], default: []].append(seen.shows(attribute) ? 1 : 0)
      }
      if let fraction = seen.fraction(of: wanted) { fractions.append(fraction) }
      let image = images[index].rgb().tensor(range: .minusOneToOne)
      if let isRight = comparison?.showsAll(of: wanted, in: image) {
        layers.append(isRight ? 1 : 0)
      }
    }
  }
}
