import Diffusion
import Media
import Tensors

extension GenerativeModel {
  /// As `generate`, each process its part; all get all images or clips.
  ///
  /// - Parameters:
  ///   - prompts: one for all, or one for each.
  ///   - negativePrompts: what guidance leads away from; none, one for all or one for each.
  ///   - seeds: one for all, or one for each.
  ///   - settings: size, sampler, steps and guidance.
  ///   - prior: the distribution of the initial noise; N(0, I) if nil.
  ///   - communicator: divides the work.
  ///   - progress: called with the number of finished and of all runs of the network, of this
  ///     process.
  /// - Throws: as `generate`, and what the communicator throws.
  public func generate(
    prompts: [String], negativePrompts: [String] = [], seeds: [UInt64],
    settings: GenerationSettings = GenerationSettings(), prior: NoisePrior? = nil,
    over communicator: any Communicator, progress: ((_ done: Int, _ total: Int) -> Void)? = nil
  ) throws -> [Media] {
    let own = communicator.fraction(of: max(prompts.count, seeds.count))
    func part<Value>(_ values: [Value]) -> [Value] {
      values.count > 1 && !own.isEmpty ? Array(values[own]) : values
    }
    guard communicator.processCount > 1 else {
      return try generate(
        prompts: prompts, negativePrompts: negativePrompts, seeds: seeds, settings: settings,
        prior: prior, progress: progress)
    }
    let media =
      try own.isEmpty
      ? []
      : generate(
        prompts: part(prompts), negativePrompts: part(negativePrompts), seeds: part(seeds),
        settings: settings, prior: prior, progress: progress)
    return try communicator.gatherMedia(media)
  }
}

extension Communicator {
  /// The images and clips of all ranks, in their order.
  ///
  /// - Throws: what the connection throws.
  public func gatherMedia(_ media: [Media]) throws -> [Media] {
    guard processCount > 1 else { return media }
    let headers = try gatherValues(media.map(MediaHeader.init))
    let samples = try gather(media.flatMap { $0.frames.flatMap(\.samples) })
    return zip(headers, samples).flatMap { headers, samples in
      var rest = samples[...]
      return headers.map { $0.media(takingFrom: &rest) }
    }
  }
}

/// What a rank tells of an image or a clip besides its samples.
private struct MediaHeader: Codable {
  let width, height, channelCount, frameCount: Int
  /// Nil for an image.
  let frameRate: Double?

  init(_ media: Media) {
    let frames = media.frames
    (width, height) = (frames[0].width, frames[0].height)
    (channelCount, frameCount) = (frames[0].channelCount, frames.count)
    frameRate = media.frameRate
  }

  func media(takingFrom samples: inout ArraySlice<UInt8>) -> Media {
    let size = width * height * channelCount
    let frames = (0..<frameCount).map { _ in
      let own = Array(samples.prefix(size))
      samples = samples.dropFirst(size)
      return Image(width: width, height: height, channelCount: channelCount, samples: own)
    }
    return frameRate.map { .clip(Clip(frames: frames, frameRate: $0)) } ?? .image(frames[0])
  }
}
