import Media

/// An environment whose observations have an image of it too, as `render` draws it.
public final class CameraEnvironment: EnvironmentWrapper {
  /// The environment inside.
  public let base: any Environment
  /// One, beside those that the environment has.
  public let cameras: [Camera]
  private let camera: Camera

  /// - Parameters:
  ///   - base: what the camera sees.
  ///   - name: of the camera.
  ///   - size: the side of its square images, in pixels.
  public init(_ base: any Environment, camera name: String, size: Int) {
    self.base = base
    camera = Camera(name: name, width: size, height: size)
    cameras = base.cameras + [camera]
  }

  /// The environment's images, then one as it is now; black once its numbers are no numbers.
  public func observeImages() throws -> [[Image]] {
    let isLost = !base.observation.allSatisfy(\.isFinite)
    let image =
      isLost
      ? Image(width: camera.width, height: camera.height, filledWith: .black)
      : try base.render(width: camera.width, height: camera.height)
    return (base.cameras.isEmpty ? [] : try base.observeImages()) + [[image]]
  }

  /// Passes the actions on.
  public func prepare(_ actions: UnsafeBufferPointer<Float>) { base.prepare(actions) }
}
