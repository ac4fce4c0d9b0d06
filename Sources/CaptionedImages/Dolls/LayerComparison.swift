import Tensors

/// Decides from pixels, without a trained judge, which item of a top layer a picture shows.
///
/// An item that lies on top is drawn with known opaque pixels. Every candidate layer of the slot is
/// laid over the picture; a pixel at root mean square distance `d` counts `tolerance^2 - d^2` for
/// it, at least `-tolerance^2`. The candidate with the highest sum is the nearest, and it is near
/// enough if the sum is above a share of what a perfect match would have. Sums, not means, because
/// a small layer may be part of a larger one. The bound on a pixel is for what another layer
/// hides.
public struct LayerComparison: Sendable {
  /// The slots that may be asked for: nothing, or next to nothing, is painted over them.
  public static let slots: [DollSlot] = [.hand1, .hand2, .hair, .head]

  /// The candidate that is nearest to a picture.
  public struct Match: Hashable, Sendable {
    /// The layer.
    public let item: DollItem
    /// The sum over its pixels as a share of that of a perfect match, -1 to 1.
    public let agreement: Float
    /// Whether the picture shows it: `agreement` reaches the needed share.
    public let isNearEnough: Bool
  }

  /// The distance at which a pixel counts neither for nor against a candidate, where black is -1
  /// and white is 1.
  public let tolerance: Float
  /// The least agreement of an item that the picture shows.
  public let neededAgreement: Float
  private let width: Int, height: Int
  private let templates: [DollSlot: [Template]]

  private struct Template: Sendable {
    let item: DollItem
    /// Positions of first channels in the picture.
    let starts: [Int]
    /// Three elements for each position.
    let colors: [Float]
  }

  /// Takes the layers of a composer.
  public init(_ composer: DollComposer, tolerance: Float = 0.5, neededAgreement: Float = 0.25) {
    precondition(
      tolerance > 0 && (-1..<1).contains(neededAgreement),
      "a comparison with tolerance \(tolerance) and needed agreement \(neededAgreement)")
    self.tolerance = tolerance
    self.neededAgreement = neededAgreement
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

  /// The item of a slot that is nearest to a picture `[H, W, 3]` of elements in -1...1; nil if the
  /// slot has no items.
  public func nearest(_ slot: DollSlot, in image: Tensor) -> Match? {
    precondition(
      LayerComparison.slots.contains(slot),
      "\(slot.rawValue) lies below other layers; its pixels say nothing certain")
    precondition(
      image.shape == [height, width, 3],
      "the picture has shape \(image.shape), its layers \([height, width, 3])")
    return image.withUnsafeElements { elements in
      var best: (template: Template, sum: Float)?
      for template in templates[slot] ?? [] {
        let sum = evidence(template, elements)
        if sum > best?.sum ?? -.infinity { best = (template, sum) }
      }
      return best.map { template, sum in
        let perfect = tolerance * tolerance * Float(max(1, template.starts.count))
        return Match(
          item: template.item, agreement: sum / perfect,
          isNearEnough: sum >= neededAgreement * perfect)
      }
    }
  }

  /// Whether a picture `[H, W, 3]` shows what a prompt asks for: one of the slots' nearest items has
  /// the phrase and is near enough. Nil if no slot is among `slots`.
  public func shows(_ attribute: PromptAttribute, in image: Tensor) -> Bool? {
    let slots = attribute.slots.filter(LayerComparison.slots.contains)
    if slots.isEmpty { return nil }
    return slots.contains { slot in
      guard let match = nearest(slot, in: image) else { return false }
      return match.isNearEnough && match.item.phrase == attribute.phrase
    }
  }

  /// The sum over a template's pixels. A pixel that is not a number counts against it.
  private func evidence(_ template: Template, _ elements: UnsafeBufferPointer<Float>) -> Float {
    let square = tolerance * tolerance
    var sum: Float = 0
    for (index, start) in template.starts.enumerated() {
      var distance: Float = 0
      for channel in 0..<3 {
        let difference = elements[start + channel] - template.colors[3 * index + channel]
        distance += difference * difference
      }
      let share = square - distance / 3
      sum += share > -square ? share : -square
    }
    return sum
  }
}
