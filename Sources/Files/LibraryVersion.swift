import CHDF5Bridge
import CZlib
import CZstd

/// A library that Attune stands on, and its version on this machine.
public struct LibraryVersion: Sendable, Equatable {
  /// As its project calls it.
  public let name: String
  /// As it tells it itself.
  public let version: String

  /// A library.
  public init(_ name: String, _ version: String) {
    self.name = name
    self.version = version
  }

  /// The libraries that files are read by.
  public static var ofFiles: [LibraryVersion] {
    [
      LibraryVersion("HDF5", String(cString: attune_hdf5_library_version())),
      LibraryVersion("zlib", String(cString: zlibVersion())),
      LibraryVersion("Zstandard", String(cString: ZSTD_versionString())),
    ]
  }
}
