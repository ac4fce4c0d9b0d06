/// Which dolls to draw with regard to the pairs held out for evaluation.
public enum DollPairs: String, Codable, CaseIterable, Sendable {
  /// None that combines a held-out pair.
  case training
  /// Only dolls that combine one, each pair equally often.
  case heldOut
  /// Whatever comes.
  case all
}
