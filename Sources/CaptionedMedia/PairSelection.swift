/// What to draw with regard to the pairs of items that are held out for evaluation.
public enum PairSelection: String, Codable, CaseIterable, Sendable {
  /// Nothing that combines a held-out pair.
  case training
  /// Only what combines one, each pair equally often.
  case heldOut
  /// Whatever comes.
  case all
}
