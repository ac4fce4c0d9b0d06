import Files
import Media

extension LeRobotDataset {
  /// The samples of the images that are read at once, 3 for each pixel.
  public static let sampleCountLimit = 1 << 33

  /// Video frames that are in memory at once before they are made smaller.
  private static let batchSize = 32

  /// The images of a feature in an episode, RGB, `uint8 [T, H, W, 3]`.
  ///
  /// - Parameters:
  ///   - name: a feature of images or videos.
  ///   - episode: one of `episodes`.
  ///   - frames: which of the episode's frames; nil for all.
  ///   - size: what the images are made smaller or larger to, by the mean of areas; nil to leave them.
  /// - Throws: `FileError` if there is no such feature, it has no images, a file is missing or
  ///   damaged, or a video has no frame at a time that the table states.
  public func images(
    of name: String, in episode: LeRobotEpisode, frames: Range<Int>? = nil,
    size: (width: Int, height: Int)? = nil
  ) throws(FileError) -> StoredTensor {
    let feature = try feature(named: name)
    guard feature.isImage else { throw mismatch(feature, "images", "read it by tensor(of:in:)") }
    let frames = frames ?? 0..<episode.length
    precondition(
      frames.lowerBound >= 0 && frames.upperBound <= episode.length,
      "frames \(frames) of \(episode.length)")
    var stack = ImageStack(
      path: "\(folder)/\(episode.dataPath)", item: "\(name), episode \(episode.index)",
      count: frames.count, size: size)
    var start = frames.lowerBound
    while start < frames.upperBound {
      let batch = start..<min(start + LeRobotDataset.batchSize, frames.upperBound)
      let images =
        feature.kind == .video
        ? try videoImages(name, episode, batch) : try tableImages(name, episode, batch)
      for image in images { try stack.append(image) }
      start = batch.upperBound
    }
    return stack.tensor
  }

  private func videoImages(
    _ name: String, _ episode: LeRobotEpisode, _ frames: Range<Int>
  ) throws(FileError) -> [Image] {
    guard let video = episode.videos[name] else {
      throw FileError(
        .missing, path: folder, item: "\(name), episode \(episode.index)", problem: "has no video",
        advice: "fetch the whole data set, or leave this camera out")
    }
    let times = try timestamps(in: episode)
    return try videos.images(video, times: Array(times[frames]), feature: name)
  }

  private func tableImages(
    _ name: String, _ episode: LeRobotEpisode, _ frames: Range<Int>
  ) throws(FileError) -> [Image] {
    let (values, rows) = try tables.values(of: "\(name).bytes", in: episode)
    return try frames.map { frame throws(FileError) in
      let path = "\(folder)/\(episode.dataPath)"
      let item = "\(name), episode \(episode.index), frame \(frame)"
      guard let bytes = values.byteArrays(row: rows.lowerBound + frame).first else {
        throw FileError(
          .missing, path: path, item: item, problem: "has no image in the table",
          advice: "write the data set with its images in the table, as LeRobot does")
      }
      do throws(ImageFileError) {
        return try Image(pngBytes: bytes)
      } catch {
        throw FileError(
          .malformed, path: path, item: item, problem: "is not a PNG that can be read: \(error)",
          advice: "write the images as PNG")
      }
    }
  }
}

/// Images of one size, one after the other.
private struct ImageStack {
  private let path: String
  private let item: String
  private let count: Int
  private let size: (width: Int, height: Int)?
  private var samples: [UInt8] = []
  private var appendedCount = 0
  private var width = 0, height = 0

  init(path: String, item: String, count: Int, size: (width: Int, height: Int)?) {
    (self.path, self.item, self.count, self.size) = (path, item, count, size)
  }

  mutating func append(_ image: Image) throws(FileError) {
    var image = image.rgb()
    if let size {
      image = image.resized(width: size.width, height: size.height, method: .area)
    }
    if appendedCount == 0 {
      (width, height) = (image.width, image.height)
      guard count <= LeRobotDataset.sampleCountLimit / (3 * width * height) else {
        throw FileError(
          .tooLarge, path: path, item: item,
          problem: "has \(count) images of \(width)x\(height), more than fit in memory",
          advice: "read fewer frames at a time, or at a smaller size")
      }
      samples.reserveCapacity(count * 3 * width * height)
    }
    guard image.width == width, image.height == height else {
      throw FileError(
        .malformed, path: path, item: item,
        problem: "has images of \(image.width)x\(image.height) after ones of \(width)x\(height)",
        advice: "read it at one size")
    }
    samples += image.samples
    appendedCount += 1
  }

  var tensor: StoredTensor {
    StoredTensor(shape: [appendedCount, height, width, 3], uint8s: samples)
  }
}
