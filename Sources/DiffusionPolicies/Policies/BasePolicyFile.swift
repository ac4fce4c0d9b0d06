import Files
import Foundation
import Tensors

/// The file of a policy that another file was learned on top of, and names in place of its weights.
public struct BasePolicyFile: Codable, Hashable, Sendable {
  /// Where it was, as the training was told.
  public var path: String
  /// Depends on its content alone.
  public var fingerprint: String

  /// A file whose fingerprint is known.
  public init(path: String, fingerprint: String) {
    self.path = path
    self.fingerprint = fingerprint
  }

  /// A file as it is; nil where there is none.
  ///
  /// - Throws: `FileError` if it cannot be read.
  public init?(contentsOf path: String) throws(FileError) {
    guard let fingerprint = try ContentFingerprint.of(path) else { return nil }
    self.init(path: path, fingerprint: fingerprint)
  }

  /// Prefixes of a policy's own weights.
  private static let prefixes = ["network.", "actor.", "actor_ft.", "eta."]

  /// Whether weights of that name are the base's.
  static func holds(_ name: String) -> Bool { prefixes.contains { name.hasPrefix($0) } }

  /// The base's weights, from where it was, or from the folder of what names it.
  ///
  /// - Parameter path: the file that names it.
  /// - Throws: `PolicyError.missingBase`, `PolicyError.changedBase`, and what reading a policy throws.
  func weights(for path: String) throws -> [String: Tensor] {
    let beside = URL(filePath: path).deletingLastPathComponent()
      .appending(path: URL(filePath: self.path).lastPathComponent).path
    var other: String?
    // Both may have the name that runs give their policies: a file is not its own base.
    let own = try ContentFingerprint.of(path)
    for candidate in [self.path, beside] {
      guard let found = try ContentFingerprint.of(candidate), found != own else { continue }
      guard found == fingerprint else {
        other = other ?? found
        continue
      }
      return try PolicyCheckpoint(path: candidate).weights.filter { Self.holds($0.key) }
    }
    guard let other else { throw PolicyError.missingBase(path: path, base: self.path) }
    throw PolicyError.changedBase(
      path: path, base: self.path, found: other, expected: fingerprint)
  }
}
