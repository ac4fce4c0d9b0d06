import Environments
import Files
import Tensors

/// Images of demonstrations in the layouts of files.
enum RecordedImages {
  /// DPPO's `images`: uint8 `[N, C, H, W]`, whose channels are those of cameras of three each, one
  /// after another, or of one camera.
  ///
  /// - Throws: `DemonstrationError.shape` for another shape or type.
  static func channelsFirst(
    _ stored: StoredTensor, named name: String, count: Int, path: String
  ) throws(DemonstrationError) -> [CameraImages] {
    let shape = stored.shape
    guard stored.elementType == .uint8, shape.count == 4, shape[0] == count,
      shape.allSatisfy({ $0 > 0 }), [1, 4].contains(shape[1]) || shape[1] % 3 == 0
    else {
      throw .shape(
        path: path, tensor: name, found: shape,
        expected: "uint8 [\(count), channels, height, width], not \(stored.elementType.rawValue); "
          + "channels are 1, 4 or 3 for each camera")
    }
    let (channels, height, width) = (shape[1], shape[2], shape[3])
    let cameraChannels = channels % 3 == 0 ? 3 : channels
    let cameraCount = channels / cameraChannels
    return (0..<cameraCount).map { index in
      let camera = Camera(
        name: cameraCount == 1 ? name : "\(name) \(index + 1)", width: width, height: height,
        channelCount: cameraChannels)
      let size = height * width * cameraChannels
      let bytes = [UInt8](unsafeUninitializedCapacity: count * size) { target, initializedCount in
        stored.withUnsafeBytes { source in
          for step in 0..<count {
            for channel in 0..<cameraChannels {
              let plane = (step * channels + index * cameraChannels + channel) * height * width
              for pixel in 0..<height * width {
                target[step * size + pixel * cameraChannels + channel] = source[plane + pixel]
              }
            }
          }
        }
        initializedCount = count * size
      }
      return CameraImages(camera, stepCount: 1, bytes: bytes)
    }
  }

  /// robomimic's `obs/KEY_image`: uint8 `[T, H, W, C]`, of a camera called as the key.
  ///
  /// - Throws: `DemonstrationError.shape` for another shape or type.
  static func channelsLast(
    _ stored: StoredTensor, camera name: String, named tensor: String, count: Int, path: String
  ) throws(DemonstrationError) -> CameraImages {
    let shape = stored.shape
    guard stored.elementType == .uint8, shape.count == 4, shape[0] == count,
      shape.allSatisfy({ $0 > 0 }), [1, 3, 4].contains(shape[3])
    else {
      throw .shape(
        path: path, tensor: tensor, found: shape,
        expected: "uint8 [\(count), height, width, 1, 3 or 4], not \(stored.elementType.rawValue)")
    }
    return CameraImages(
      Camera(name: name, width: shape[2], height: shape[1], channelCount: shape[3]),
      stepCount: 1, bytes: stored.withUnsafeBytes { Array($0) })
  }

  /// Diffusion Policy's images, numbers from 0 to 255 in any type, `[T, H, W, C]`, as bytes.
  ///
  /// - Throws: `DemonstrationError` for numbers that are no bytes' and where they are none at all.
  static func rounded(
    _ stored: StoredTensor, named tensor: String, path: String
  ) throws(DemonstrationError) -> StoredTensor {
    guard stored.elementType != .uint8 else { return stored }
    let values = Tensor(stored)
    let (lowest, highest) = values.withUnsafeElements { elements in
      elements.reduce(into: (Float.infinity, -Float.infinity)) {
        // What is not a number is neither.
        $0 = ($1 >= 0 ? min($0.0, $1) : -1, $1 <= 255 ? max($0.1, $1) : 256)
      }
    }
    guard lowest >= 0, highest <= 255, highest > 1 else {
      throw .inconsistent(
        path: path, tensor: tensor, found: "numbers from \(lowest) to \(highest)",
        expected: "0 to 255, and more than 1 somewhere")
    }
    return StoredTensor(
      shape: stored.shape,
      uint8s: values.withUnsafeElements { $0.map { UInt8($0.rounded()) } })
  }

  /// Refuses images of another size than those of the first episode.
  static func requireSame(
    _ images: CameraImages, as first: CameraImages?, named tensor: String, path: String
  ) throws(DemonstrationError) {
    if let first, first.camera != images.camera {
      throw .shape(
        path: path, tensor: tensor, found: [images.count] + images.camera.shape,
        expected: "\([images.count] + first.camera.shape), as in the first episode")
    }
  }
}

extension StoredTensor {
  /// `[N, C, H, W]`, the channels of cameras of one size one after another.
  static func channelsFirst(_ images: [CameraImages]) -> StoredTensor {
    let (camera, count) = (images[0].camera, images[0].count)
    let (height, width) = (camera.height, camera.width)
    precondition(
      images.allSatisfy { $0.camera.height == height && $0.camera.width == width },
      "images of several sizes cannot be written as one array")
    let channels = images.reduce(0) { $0 + $1.camera.channelCount }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count * channels * height * width)
    for step in 0..<count {
      for images in images {
        let (samples, channelCount) = (images.frames[step].samples, images.camera.channelCount)
        for channel in 0..<channelCount {
          for pixel in 0..<height * width { bytes.append(samples[pixel * channelCount + channel]) }
        }
      }
    }
    return StoredTensor(shape: [count, channels, height, width], uint8s: bytes)
  }
}

extension Demonstrations {
  /// The images as those of an environment's cameras: in their order where they have the same
  /// names, or under their names where there are as many of the same sizes.
  mutating func nameImages(after cameras: [Camera]) {
    guard !images.isEmpty, cameras.count == images.count else { return }
    let names = Dictionary(
      zip(self.cameras.map(\.name), images.indices), uniquingKeysWith: { first, _ in first })
    let ordered = cameras.compactMap { names[$0.name] }
    if ordered.count == images.count {
      images = ordered.map { images[$0] }
      return
    }
    guard zip(self.cameras, cameras).allSatisfy({ $0.shape == $1.shape }) else { return }
    for (index, camera) in cameras.enumerated() {
      notes.append("the images '\(images[index].camera.name)' are those of camera '\(camera.name)'")
      images[index] = CameraImages(camera, stepCount: 1, frames: images[index].frames)
    }
  }
}
