import CChipmunk
import CMuJoCo
import Files

extension LibraryVersion {
  /// The libraries that environments are simulated by.
  public static var ofEnvironments: [LibraryVersion] {
    [
      LibraryVersion("MuJoCo", String(cString: mj_versionString())),
      LibraryVersion("Chipmunk", "\(CP_VERSION_MAJOR).\(CP_VERSION_MINOR).\(CP_VERSION_RELEASE)"),
    ]
  }
}
