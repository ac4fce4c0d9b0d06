import Tensors

/// Decides from pixels, without a trained network, which item of a top layer an image shows.
///
/// An item that lies on top is drawn with known opaque pixels. Every candidate layer of the slot is
/// laid over the image; a pixel at root mean square distance `d` counts `tolerance^2 - d^2` for
/// it, at least `-tolerance^2`. The candidate with the highest sum is the nearest, and it is near
/// enough if the sum is above a fraction of what a perfect match would have. Sums, not means,
/// because a small layer may be part of a larger one. The bound on a pixel is for what another
/// layer hides.
public struct LayerComparison: Sendable {
  /// The slots that may be asked for: nothing, or next to nothing, is painted over them.
  public static let slots: [DollSlot] = [.hand1, .hand2, .head]

  /// When an image shows an item.
  public struct Threshold: Codable, Hashable, Sendable {
    /// The distance at which a pixel counts neither for nor against a candidate, where black is -1
    /// and white is 1.
    public var tolerance: Float
    /// The minimum agreement of an item that the image shows, -1 to 1.
    public var neededAgreement: Float

    /// Makes a threshold.
    public init(tolerance: Float, neededAgreement: Float) {
      precondition(
        tolerance > 0 && (-1..<1).contains(neededAgreement),
        "a comparison with tolerance \(tolerance) and needed agreement \(neededAgreement)")
      self.tolerance = tolerance
      self.neededAgreement = neededAgreement
    }

    // Chosen on 600 random dolls with noise of standard deviation 0 to 0.4, in the middle between
    // what dolls with the item and dolls without it reach.

    /// For hands: an item lies mostly over the background, so much noise is borne.
    public static let hand = Threshold(tolerance: 0.5, neededAgreement: 0.4)
    /// For the head: a cap of twelve pixels may have nearly the color of the skin below.
    public static let head = Threshold(tolerance: 0.3, neededAgreement: 0.6)
  }

  /// The candidate that is nearest to an image.
  public struct Match: Hashable, Sendable {
    /// The layer.
    public let item: DollItem
    /// The sum over its pixels as a fraction of that of a perfect match, -1 to 1.
    public let agreement: Float
    /// Whether the image shows it: `agreement` reaches the needed fraction.
    public let isNearEnough: Bool
  }

  /// The threshold of either hand.
  public let hand: Threshold
  /// The threshold of the head.
  public let head: Threshold
  private let width: Int, height: Int
  private let templates: [DollSlot: [Template]]

  private struct Template: Sendable {
    let item: DollItem
    /// Positions of first channels in the image.
    let starts: [Int]
    /// Three elements for each position.
    let colors: [Float]
  }

  /// Takes the layers of a composer.
  public init(_ composer: DollComposer, hand: Threshold = .hand, head: Threshold = .head) {
    self.hand = hand
    self.head = head
    width = composer.width
    height = composer.height
    var templates: [DollSlot: [Template]] = [:]
    for (item, layer) in zip(composer.catalog.items, composer.layers)
    where LayerComparison.slots.contains(item.slot) {
      let opaque = layer.pixels.filter { $0.alpha == 255 }
      templates[item.slot, default: []].append(
        Template(
          item: item, starts: opaque.map { 3 * $0.position },
          colors: opaque.flatMap { [$0.red, $0.green, $0.blue] }.map {
            SampleTable.elements[Int($0)]
          }))
    }
    self.templates = templates
  }

  /// The item of a slot that is nearest to an image `[H, W, 3]` of elements in -1...1; nil if the
  /// slot has no items.
  public func nearest(_ slot: DollSlot, in image: Tensor) -> Match? {
    precondition(
      LayerComparison.slots.contains(slot),
      "\(slot.rawValue) lies below other layers; its pixels say nothing certain")
    precondition(
      image.shape == [height, width, 3],
      "the image has shape \(image.shape), its layers \([height, width, 3])")
    let threshold = slot == .head ? head : hand
    let square = threshold.tolerance * threshold.tolerance
    return image.withUnsafeElements { elements in
      var best: (template: Template, sum: Float)?
      for template in templates[slot] ?? [] {
        let sum = evidence(template, elements, square: square)
        if sum > best?.sum ?? -.infinity { best = (template, sum) }
      }
      return best.map { template, sum in
        let perfect = square * Float(max(1, template.starts.count))
        return Match(
          item: template.item, agreement: sum / perfect,
          isNearEnough: sum >= threshold.neededAgreement * perfect)
      }
    }
  }

  /// Whether an image `[H, W, 3]` shows what a prompt asks for: one of the slots' nearest items
  /// has the phrase and is near enough. Nil if no slot is among `slots`.
  public func shows(_ attribute: PromptAttribute, in image: Tensor) -> Bool? {
    let slots = attribute.slots.compactMap { DollSlot(rawValue: $0.rawValue) }
      .filter(LayerComparison.slots.contains)
    if slots.isEmpty { return nil }
    return slots.contains { slot in
      guard let match = nearest(slot, in: image) else { return false }
      return match.isNearEnough && match.item.phrase == attribute.phrase
    }
  }

  /// Whether an image `[H, W, 3]` shows all of a prompt's items in the top layers; nil if there
  /// are none.
  public func showsAll(of wanted: PromptAttributes, in image: Tensor) -> Bool? {
    let found = wanted.attributes.compactMap { shows($0, in: image) }
    return found.isEmpty ? nil : found.allSatisfy { $0 }
  }

  /// The sum over a template's pixels. A pixel that is not a number counts against it.
  private func evidence(
    _ template: Template, _ elements: UnsafeBufferPointer<Float>, square: Float
  ) -> Float {
    var sum: Float = 0
    for (index, start) in template.starts.enumerated() {
      var distance: Float = 0
      for channel in 0..<3 {
        let difference = elements[start + channel] - template.colors[3 * index + channel]
        distance += difference * difference
      }
      let fraction = square - distance / 3
      sum += fraction > -square ? fraction : -square
    }
    return sum
  }
}
