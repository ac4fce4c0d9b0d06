import Tensors

/// What a generative model makes: an image, or a clip of several.
public enum Media: Sendable, Equatable {
  /// A still image.
  case image(Image)
  /// Images that follow one another.
  case clip(Clip)

  /// The image alone, or the frames of the clip.
  public var frames: [Image] {
    switch self {
    case .image(let image): [image]
    case .clip(let clip): clip.frames
    }
  }

  /// Frames a second; nil for an image.
  public var frameRate: Double? {
    switch self {
    case .image: nil
    case .clip(let clip): clip.frameRate
    }
  }

  /// Pixels in a row.
  public var width: Int { frames[0].width }

  /// Rows.
  public var height: Int { frames[0].height }

  /// What a page shows of it: the image, or the frames of the clip side by side.
  public var still: Image {
    guard case .clip(let clip) = self, clip.frames.count > 1 else { return frames[0] }
    var strip = Image(width: width * clip.frames.count, height: height, filledWith: .white)
    for (index, frame) in clip.frames.enumerated() { strip.draw(frame, x: index * width, y: 0) }
    return strip
  }
}

/// Frames of one size that are shown one after the other.
public struct Clip: Sendable, Equatable {
  /// At least one.
  public let frames: [Image]
  /// Frames a second.
  public let frameRate: Double

  /// A clip of at least one frame.
  public init(frames: [Image], frameRate: Double) {
    precondition(
      !frames.isEmpty && frameRate > 0, "a clip of \(frames.count) frames at \(frameRate)")
    precondition(
      frames.allSatisfy { $0.width == frames[0].width && $0.height == frames[0].height },
      "the frames of a clip have sizes \(Set(frames.map { "\($0.width)x\($0.height)" }).sorted())")
    self.frames = frames
    self.frameRate = frameRate
  }
}

extension [Media] {
  /// The images of a batch `[B, H, W, C]` in 0 ... 1.
  public init(images: Tensor) { self = Image.batch(images, range: .zeroToOne).map(Media.image) }

  /// The clips of a batch `[B, F, H, W, C]` in 0 ... 1.
  public init(clips: Tensor, frameRate: Double) {
    precondition(
      clips.rank == 5, "clips are made from a tensor [B, F, H, W, C], not \(clips.shape)")
    self = (0..<clips.shape[0]).map {
      .clip(Clip(frames: Image.batch(clips[$0], range: .zeroToOne), frameRate: frameRate))
    }
  }

  /// One number for each, the mean of the numbers of its frames.
  ///
  /// - Parameter perFrame: a number for every frame of all, one after the other; what has a frame
  ///   without one has none.
  public func meansOverFrames(_ perFrame: [Double?]) -> [Double?] {
    precondition(
      perFrame.count == reduce(0) { $0 + $1.frames.count },
      "\(perFrame.count) numbers for \(reduce(0) { $0 + $1.frames.count }) frames")
    var start = 0
    return map { media in
      let numbers = perFrame[start..<start + media.frames.count]
      start += media.frames.count
      let known = numbers.compactMap { $0 }
      return known.count == numbers.count ? known.reduce(0, +) / Double(known.count) : nil
    }
  }
}
