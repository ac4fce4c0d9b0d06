import Configuration

/// Dolls that are alike: what tells them apart is an item or two.
///
/// A model that has to tell a caption from those of other dolls gets by with the most conspicuous
/// items; one that has to tell it from captions of dolls like it must look at every item.
public struct DollGroups: Settings {
  /// Dolls of a group: a first one, drawn freely, and others like it.
  @Setting(.positive) public var size = 8
  /// The probability that a slot of the others is drawn anew, each for itself.
  @Setting(.fraction) public var changeProbability = 0.25

  /// The defaults.
  public init() {}
}
