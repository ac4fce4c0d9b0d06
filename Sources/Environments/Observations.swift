import Media
import Tensors

/// A camera of an environment: the name and the size of its images.
public struct Camera: Codable, Hashable, Sendable {
  /// What it is called among the parts of an observation.
  public var name: String
  /// Pixels in a row.
  public var width: Int
  /// Rows.
  public var height: Int
  /// Samples in a pixel, 3 for RGB.
  public var channelCount: Int

  /// A camera of RGB images, unless it has other channels.
  public init(name: String, width: Int, height: Int, channelCount: Int = 3) {
    precondition(
      min(width, height, channelCount) > 0,
      "camera '\(name)' of \(width)x\(height)x\(channelCount) sees nothing")
    self.name = name
    self.width = width
    self.height = height
    self.channelCount = channelCount
  }

  /// `[H, W, C]`
  public var shape: [Int] { [height, width, channelCount] }
}

/// What is observed in `B` environments, or led to `B` recorded decisions: a state of numbers, and
/// the images of cameras, which stay bytes until an encoder reads them.
public struct Observations: Sendable {
  /// The latest states, the most recent last: `[B, To, Do]`.
  public var state: Tensor
  /// The images of each camera, by its name.
  public var images: [String: CameraImages]
  /// What an encoder that no longer learns has made of all of it, `[B, Dc]`: the images may have been
  /// dropped then.
  public var encoding: Tensor? {
    didSet {
      precondition(
        encoding.map { $0.rank == 2 && $0.shape[0] == count } ?? true,
        "an encoding of shape \(encoding?.shape ?? []) of \(count) rows")
    }
  }

  /// Observations of states `[B, To, Do]`, with images of as many rows and steps.
  public init(_ state: Tensor, images: [String: CameraImages] = [:]) {
    precondition(state.rank == 3, "states of shape \(state.shape), expected [B, To, Do]")
    for (name, images) in images {
      precondition(
        images.count == state.shape[0] && images.stepCount == state.shape[1],
        "images '\(name)' of shape \(images.shape) with states \(state.shape)")
    }
    self.state = state
    self.images = images
  }

  /// The number of rows, `B`.
  public var count: Int { state.shape[0] }

  /// Some rows.
  public func slice(_ rows: Range<Int>) -> Observations {
    var part = Observations(
      state.slice(rows), images: images.mapValues { $0.gather(Array(rows)) })
    part.encoding = encoding?.slice(rows)
    return part
  }

  /// Rows in an order, which may repeat.
  public func gather(_ rows: [Int]) -> Observations {
    var part = Observations(state.gather(rows), images: images.mapValues { $0.gather(rows) })
    part.encoding = encoding?.gather(rows)
    return part
  }

  /// The rows of all parts, one after another; at least one part.
  public static func concatenated(_ parts: [Observations]) -> Observations {
    precondition(!parts.isEmpty, "no observations to join")
    let images = Dictionary(
      uniqueKeysWithValues: parts[0].images.keys.map { name in
        (
          name,
          CameraImages.concatenated(
            parts.map { part in
              guard let images = part.images[name] else {
                preconditionFailure("a part of the observations lacks images '\(name)'")
              }
              return images
            })
        )
      })
    var whole = Observations(.concatenated(parts.map(\.state), along: 0), images: images)
    let encodings = parts.compactMap(\.encoding)
    precondition(
      encodings.isEmpty || encodings.count == parts.count,
      "\(encodings.count) of \(parts.count) parts of observations are encoded")
    if !encodings.isEmpty { whole.encoding = .concatenated(encodings, along: 0) }
    return whole
  }
}

/// A camera's images, `[B, To, H, W, C]`. Rows share them: slicing, gathering and joining copy no
/// bytes.
public struct CameraImages: Sendable {
  /// Where they come from.
  public let camera: Camera
  /// `To`
  public let stepCount: Int
  /// Row by row, `B To` of them.
  public private(set) var frames: [Image]

  /// Takes the images of all rows, oldest first in each.
  public init(_ camera: Camera, stepCount: Int, frames: [Image]) {
    precondition(
      stepCount > 0 && frames.count.isMultiple(of: stepCount),
      "\(frames.count) images in rows of \(stepCount)")
    for frame in frames {
      precondition(
        [frame.height, frame.width, frame.channelCount] == camera.shape,
        "an image \(frame) of camera '\(camera.name)', whose are \(camera.shape)")
    }
    self.camera = camera
    self.stepCount = stepCount
    self.frames = frames
  }

  /// Takes the bytes of all rows, `[B, To, H, W, C]` in row-major order.
  public init(_ camera: Camera, stepCount: Int, bytes: [UInt8]) {
    let size = camera.shape.reduce(1, *)
    precondition(
      bytes.count.isMultiple(of: stepCount * size),
      "\(bytes.count) bytes in rows of \([stepCount] + camera.shape)")
    self.camera = camera
    self.stepCount = stepCount
    frames = stride(from: 0, to: bytes.count, by: size).map {
      Image(
        width: camera.width, height: camera.height, channelCount: camera.channelCount,
        samples: Array(bytes[$0..<$0 + size]))
    }
  }

  /// The bytes of all rows, copied: `[B, To, H, W, C]` in row-major order.
  public var bytes: [UInt8] { frames.flatMap(\.samples) }

  /// The number of rows, `B`.
  public var count: Int { frames.count / stepCount }

  /// `[B, To, H, W, C]`
  public var shape: [Int] { [count, stepCount] + camera.shape }

  /// Rows in an order, which may repeat.
  public func gather(_ rows: [Int]) -> CameraImages {
    CameraImages(
      self, rows.flatMap { frames[$0 * stepCount..<($0 + 1) * stepCount] })
  }

  /// The rows of all parts, one after another.
  public static func concatenated(_ parts: [CameraImages]) -> CameraImages {
    CameraImages(parts[0], parts.flatMap(\.frames))
  }

  /// The same camera with other frames, whose sizes are known to be right.
  private init(_ other: CameraImages, _ frames: [Image]) {
    (camera, stepCount) = (other.camera, other.stepCount)
    self.frames = frames
  }

  /// The bytes as numbers from 0 to 1, `[B, To, H, W, C]`.
  public func scaled() -> Tensor {
    let size = camera.shape.reduce(1, *)
    return Tensor(shape: shape) { numbers in
      for (index, frame) in frames.enumerated() {
        frame.samples.withUnsafeBufferPointer { samples in
          for element in 0..<size {
            numbers[index * size + element] = Float(samples[element]) / 255
          }
        }
      }
    }
  }
}

extension Environment {
  /// The current observation as one row of `To` steps, copied; 1 for an environment without a
  /// history.
  ///
  /// - Throws: what `observeImages` throws.
  public func observations(ofSteps stepCount: Int = 1) throws -> Observations {
    let state = Tensor(
      shape: [1, stepCount, observationSpace.count / stepCount], elements: observation)
    let images = try zip(cameras, cameras.isEmpty ? [] : observeImages()).map { camera, images in
      (camera.name, CameraImages(camera, stepCount: stepCount, frames: images))
    }
    return Observations(state, images: Dictionary(uniqueKeysWithValues: images))
  }
}
