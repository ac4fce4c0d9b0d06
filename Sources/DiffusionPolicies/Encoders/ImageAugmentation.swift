import Configuration
import Environments
import Tensors

/// How images are varied in training: a window of each is seen, at a random place, which may reach
/// beyond its edges. Exactly whole pixels.
///
/// A shift is a window as large as the image; beyond the edges lie the pixels at the edge, as in
/// DrQ (arXiv:2004.13649) and the DPPO reference's `RandomShiftsAug`. A crop is a smaller window, as
/// in Diffusion Policy.
public struct ImageAugmentation: Hashable, Sendable {
  /// The side of the window in pixels; 0 for one as large as the image.
  public var cropSize: Int
  /// Pixels by which it may reach beyond the edges.
  public var shift: Int

  /// Windows of a size, which may reach beyond the edges.
  public init(cropSize: Int = 0, shift: Int = 0) {
    precondition(cropSize >= 0 && shift >= 0, "windows of \((cropSize, shift))")
    self.cropSize = cropSize
    self.shift = shift
  }

  /// Whether it changes nothing.
  public var isIdentity: Bool { cropSize == 0 && shift == 0 }

  /// Observations as an encoder sees them: with images of the window's size.
  ///
  /// - Throws: `ConfigurationError` if the images are smaller.
  func layout(of layout: ObservationLayout) throws(ConfigurationError) -> ObservationLayout {
    var layout = layout
    for index in layout.cameras.indices {
      let camera = layout.cameras[index]
      guard cropSize <= min(camera.width, camera.height) else {
        throw .badValue(
          key: "cropSize", found: cropSize,
          expected: "0 to \(min(camera.width, camera.height)), as camera '\(camera.name)' gives "
            + "\(camera.width)x\(camera.height) pixels")
      }
      layout.cameras[index] = window(of: camera)
    }
    return layout
  }

  /// A camera that gives the window's images.
  private func window(of camera: Camera) -> Camera {
    guard cropSize > 0 else { return camera }
    return Camera(
      name: camera.name, width: cropSize, height: cropSize, channelCount: camera.channelCount)
  }

  /// Draws a window for each row and camera, which all images of the row are seen through.
  ///
  /// - Parameters:
  ///   - observations: `B` rows.
  ///   - streams: of each row; cameras draw in the order of their names, the row of the window
  ///     before its column.
  /// - Returns: the same states with the windows' images.
  func callAsFunction(
    _ observations: Observations, streams: [RandomStream]
  ) -> Observations {
    guard !isIdentity, !observations.images.isEmpty else { return observations }
    precondition(
      streams.count == observations.count,
      "\(streams.count) streams for \(observations.count) rows")
    var streams = streams
    var result = observations
    for (name, images) in observations.images.sorted(by: { $0.key < $1.key }) {
      let window = window(of: images.camera)
      let room = (
        images.camera.height - window.height, images.camera.width - window.width
      )
      let places = streams.indices.map { row in
        (
          row: streams[row].integer(below: room.0 + 2 * shift + 1) - shift,
          column: streams[row].integer(below: room.1 + 2 * shift + 1) - shift
        )
      }
      result.images[name] = images.windows(window, at: places)
    }
    return result
  }
}

extension Observations {
  /// The same states with the middle of images that are larger than those of the cameras.
  func centered(on cameras: [Camera]) -> Observations {
    var result = self
    for camera in cameras {
      guard let images = images[camera.name], images.camera != camera else { continue }
      // Rounded as torchvision's CenterCrop does.
      func middle(_ room: Int) -> Int { Int((Double(room) / 2).rounded(.toNearestOrEven)) }
      let place = (
        row: middle(images.camera.height - camera.height),
        column: middle(images.camera.width - camera.width)
      )
      result.images[camera.name] = images.windows(
        camera, at: Array(repeating: place, count: images.count))
    }
    return result
  }
}
