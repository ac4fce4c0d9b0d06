import Environments
import Foundation

/// Writes the pictures of an episode, one PPM file each, into a folder.
final class FrameSink {
  private let folder: URL
  private var frameCount = 0

  /// Makes the folder.
  init(path: String, framesPerSecond: Double) throws {
    folder = URL(fileURLWithPath: path, isDirectory: true)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  func append(_ frame: Frame) throws {
    frameCount += 1
    let number = String(repeating: "0", count: max(0, 5 - "\(frameCount)".count)) + "\(frameCount)"
    let header = Data("P6 \(frame.width) \(frame.height) 255\n".utf8)
    try (header + frame.pixels).write(to: folder.appendingPathComponent("\(number).ppm"))
  }

  func finish() throws {}
}
