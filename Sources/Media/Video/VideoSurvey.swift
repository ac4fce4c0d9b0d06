import CFFmpeg

/// What is found out about a video by decoding it once.
struct VideoSurvey {
  /// Of the first frame.
  private(set) var size: (width: Int, height: Int)?
  /// Seconds since the first frame.
  private(set) var times: [Double] = []
  private(set) var duration = 0.0

  /// When the first frame is shown, in seconds of the file's own clock.
  var startTime: Double { firstTime * tick }

  /// Seconds.
  private var tick = 0.0
  /// In ticks.
  private var firstTime = 0.0
  /// What the file says, best first.
  private var statedRates: [Double] = []

  mutating func begin(_ decoder: VideoDecoder) {
    let stream = decoder.stream
    tick = VideoSurvey.value(stream.pointee.time_base)
    statedRates = [stream.pointee.avg_frame_rate, stream.pointee.r_frame_rate]
      .map(VideoSurvey.value).filter { $0.isFinite && (1e-3...1e5).contains($0) }
  }

  /// - Parameter file: its name, for errors.
  /// - Throws: `VideoError` if the frame has another size than the first.
  mutating func add(
    _ frame: UnsafeMutablePointer<AVFrame>, file: String
  ) throws(VideoError) {
    let found = (width: Int(frame.pointee.width), height: Int(frame.pointee.height))
    let size = size ?? found
    self.size = size
    guard found == size else {
      throw .damaged(
        file: file,
        reason: "frame \(times.count) is \(found.width)x\(found.height), the first "
          + "\(size.width)x\(size.height)")
    }
    let time = frame.pointee.best_effort_timestamp
    guard let last = times.last else {
      firstTime = time == FFmpegError.noTime ? 0 : Double(time)
      times = [0]
      return
    }
    // A frame without a time follows at the stated rate.
    let seconds =
      time == FFmpegError.noTime
      ? last + 1 / (statedRates.first ?? 25) : (Double(time) - firstTime) * tick
    times.append(max(last, seconds))
  }

  mutating func end(_ decoder: VideoDecoder) {
    guard let last = times.last else { return }
    let end = decoder.end.map { ($0 - firstTime) * tick } ?? 0
    duration = end > last ? end : last + (meanGap ?? statedRates.first.map { 1 / $0 } ?? 1)
  }

  /// Frames a second: a stated or a whole number that explains the times, which some files round to
  /// ticks and others from frame to frame; else the mean.
  var frameRate: Double {
    guard let meanGap else { return duration > 0 ? 1 / duration : 1 }
    let rates = statedRates + [max(1, (1 / meanGap).rounded())]
    return rates.first { rate in
      // 24 and 24000 / 1001 differ by one in a thousand.
      times.indices.allSatisfy {
        abs(times[$0] - Double($0) / rate) <= 1.01 * tick + 3e-4 * times[$0]
      }
    } ?? 1 / meanGap
  }

  /// Seconds from frame to frame; nil for one frame, or if no time passes.
  private var meanGap: Double? {
    guard let last = times.last, last > 0 else { return nil }
    return last / Double(times.count - 1)
  }

  private static func value(_ ratio: AVRational) -> Double {
    ratio.den == 0 ? 0 : Double(ratio.num) / Double(ratio.den)
  }
}
