import Foundation
import Media

/// Frames a second of the MP4 writer on 640x480 pictures that move everywhere.
enum VideoEncodingBenchmark {
  static func run() throws {
    let (width, height, frameCount) = (640, 480, 300)
    let frames = (0..<60).map { frame($0, width: width, height: height) }
    let folder = FileManager.default.temporaryDirectory
    for codec in [VideoSettings.Codec.h264, .mpeg4] {
      let path = folder.appendingPathComponent("attune-benchmark-\(UUID()).mp4").path
      defer { try? FileManager.default.removeItem(atPath: path) }
      var rates: [Double] = []
      let startOfWork = processorSeconds()
      for _ in 0..<5 {
        let start = ContinuousClock.now
        let writer = try VideoWriter(
          path: path, width: width, height: height, settings: VideoSettings(codec: codec))
        for index in 0..<frameCount { try writer.append(frames[index % frames.count]) }
        try writer.finish()
        rates.append(Double(frameCount) / (ContinuousClock.now - start).seconds)
      }
      let work = (processorSeconds() - startOfWork) / Double(5 * frameCount)
      let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
      print(
        "video encoding, 640x480, \(codec.rawValue): \(Int(rates.sorted()[2])) frames/s "
          + "(median of 5), \((work * 1e5).rounded() / 100) ms of processor time and "
          + "\(size / frameCount) bytes a frame")
    }
  }

  /// What all threads together have used; unlike the rate it hardly depends on other programs.
  private static func processorSeconds() -> Double { Double(clock()) / Double(CLOCKS_PER_SEC) }

  /// Drifting gradients with grain, and a disk that crosses them.
  private static func frame(_ index: Int, width: Int, height: Int) -> Image {
    let time = Double(index) / 24
    let (centerX, centerY) = (320 + 220 * cos(2 * time), 240 + 160 * sin(2 * time))
    let columns = (0..<width).map { sin(Double($0) * 0.02 + time) }
    let rows = (0..<height).map { cos(Double($0) * 0.03 - time) }
    var state = UInt32(index + 1)
    return Image(width: width, height: height, channelCount: 3) { samples in
      for y in 0..<height {
        for x in 0..<width {
          state = state &* 1_664_525 &+ 1_013_904_223
          let grain = Double(state >> 30) - 1.5
          let (dx, dy) = (Double(x) - centerX, Double(y) - centerY)
          let isDisk = dx * dx + dy * dy < 3_600
          let start = (y * width + x) * 3
          samples[start] = UInt8(isDisk ? 230 : 128 + 90 * columns[x] + grain)
          samples[start + 1] = UInt8(isDisk ? 60 : 128 + 90 * rows[y] + grain)
          samples[start + 2] = UInt8(isDisk ? 40 : 128 + 60 * columns[x] * rows[y] + grain)
        }
      }
    }
  }
}

extension Duration {
  /// The length in seconds.
  var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
