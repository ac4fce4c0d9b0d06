import CFFmpeg

/// A place in a video, from which frames are read onwards.
///
/// Frames that follow those read last are decoded without those before them, so that many reads in
/// order decode a file once. A read of an earlier frame begins anew.
public final class VideoCursor {
  private let reader: VideoReader
  private let converter: DecodedFrames
  private var decoder: VideoDecoder?

  /// Begins before the first frame.
  public init(_ reader: VideoReader) {
    self.reader = reader
    converter = DecodedFrames(background: reader.background)
  }

  /// The frames of some numbers, in their order; a number may come more than once.
  ///
  /// - Parameter indices: from 0 to below the reader's `frameCount`.
  /// - Throws: `VideoError`.
  public func frames(at indices: [Int]) throws(VideoError) -> [Image] {
    precondition(
      indices.allSatisfy(reader.times.indices.contains),
      "\(reader.path) has \(reader.frameCount) frames, not all of \(indices)")
    let wanted = Set(indices)
    try checkSize(of: wanted.count)
    guard let first = wanted.min(), let last = wanted.max() else { return [] }
    let decoder = try decoder(before: first)
    // A decoder that failed is not used again.
    self.decoder = nil
    var images: [Int: Image] = [:]
    while decoder.frameCount <= last, let frame = try decoder.next() {
      let index = decoder.frameCount - 1
      guard wanted.contains(index) else { continue }
      do throws(FFmpegError) {
        images[index] = try converter.image(frame)
      } catch {
        throw decoder.videoError(error)
      }
    }
    let frames = indices.compactMap { images[$0] }
    guard frames.count == indices.count else {
      throw .damaged(
        file: reader.path, reason: "it gives fewer frames when it is decoded again")
    }
    self.decoder = decoder
    return frames
  }

  private func checkSize(of count: Int) throws(VideoError) {
    let frameSize = reader.width * reader.height * 3
    guard count * frameSize <= VideoReader.sampleCountLimit else {
      throw .tooLarge(
        file: reader.path, found: "\(count) frames of \(reader.width)x\(reader.height)",
        limit: "\(VideoReader.sampleCountLimit / frameSize) at once")
    }
  }

  private func decoder(before index: Int) throws(VideoError) -> VideoDecoder {
    if let decoder, decoder.frameCount <= index { return decoder }
    return try VideoDecoder(bytes: reader.bytes, file: reader.path)
  }
}
