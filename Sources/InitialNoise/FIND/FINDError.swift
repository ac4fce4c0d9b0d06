/// Why a prior cannot be learned.
public enum FINDError: Error, Equatable, CustomStringConvertible {
  /// Too many pictures have no finite reward.
  case rewards(missing: Int, of: Int)

  /// What happened, and what to do.
  public var description: String {
    switch self {
    case .rewards(let missing, let count):
      """
      the reward gave no finite number for \(missing) of \(count) pictures; correct it, or allow \
      more with droppedShareLimit
      """
    }
  }
}
