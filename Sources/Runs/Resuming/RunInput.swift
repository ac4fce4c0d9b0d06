import Files

/// Something outside the run folder that a run's weights are learned from or evaluated by.
public struct RunInput: Sendable, Equatable {
  /// The setting that names it.
  public let key: String
  /// Where it lies now.
  public let path: String
  /// Depends on its content alone.
  public let fingerprint: String
  /// Whether another content is only told: a program may be mended while a run is stopped.
  public let mayChange: Bool

  /// An input whose fingerprint is known.
  public init(key: String, path: String, fingerprint: String, mayChange: Bool = false) {
    self.key = key
    self.path = path
    self.fingerprint = fingerprint
    self.mayChange = mayChange
  }

  /// A file or folder as it is; nil where there is none, which its reader tells better.
  ///
  /// - Throws: `FileError` if it cannot be read.
  public init?(key: String, contentsOf path: String, mayChange: Bool = false) throws(FileError) {
    guard let fingerprint = try ContentFingerprint.of(path) else { return nil }
    self.init(key: key, path: path, fingerprint: fingerprint, mayChange: mayChange)
  }
}
