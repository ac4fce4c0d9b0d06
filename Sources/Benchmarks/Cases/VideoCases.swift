import Foundation
import Media

/// Images that move everywhere.
private enum MovingImage {
  /// Drifting gradients with grain, and a disk that crosses them.
  static func frame(_ index: Int, width: Int, height: Int) -> Image {
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

extension BenchmarkCase {
  static var videos: [BenchmarkCase] {
    let frameCount = 300
    return [VideoSettings.Codec.h264, .mpeg4].map { codec in
      BenchmarkCase(
        name: "video-\(codec.rawValue)-640x480", items: (frameCount, "frames")
      ) {
        let frames = (0..<60).map { MovingImage.frame($0, width: 640, height: 480) }
        let path = FileManager.default.temporaryDirectory
          .appendingPathComponent("attune-benchmark-\(UUID()).mp4").path
        return { _ in
          {
            do {
              let writer = try VideoWriter(
                path: path, width: 640, height: 480, settings: VideoSettings(codec: codec))
              for index in 0..<frameCount { try writer.append(frames[index % frames.count]) }
              try writer.finish()
              try FileManager.default.removeItem(atPath: path)
            } catch {
              fatalError("video benchmark: \(error)")
            }
          }
        }
      }
    }
  }
}
