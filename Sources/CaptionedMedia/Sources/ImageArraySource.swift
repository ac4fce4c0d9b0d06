import Files
import Foundation
import Media
import Tensors

/// An npz file of images, `images` uint8 `[N, H, W, 3]`, and captions.
///
/// The captions are the lines of a text file beside it, `images.txt` for `images.npz`, or the
/// array `captions` of UTF-8 bytes, uint8 `[N, L]` padded with zeros, which
/// `numpy.array([text.encode() for text in captions]).view("u1").reshape(N, -1)` makes.
public struct ImageArraySource: CaptionedMediaSource {
  /// The size of the images in pixels.
  public let width: Int, height: Int
  private let stored: StoredTensor
  private let captions: [String]

  /// The number of pairs.
  public var count: Int? { captions.count }

  /// Reads a file. Images are scaled to cover the size and cut around the middle; without a
  /// size, they keep theirs.
  ///
  /// - Throws: `FileError` or `CaptionedDataError`, which name file and array.
  public init(path: String, width: Int? = nil, height: Int? = nil) throws {
    let file = try NPZFile(path: path)
    let images = try file.storedTensor(named: "images")
    guard images.elementType == .uint8, images.shape.count == 4, images.shape[3] == 3,
      !images.shape.contains(0)
    else {
      throw CaptionedDataError(
        file: path, problem: "images is \(images), expected uint8 [N, H, W, 3]")
    }
    stored = images
    self.height = height ?? images.shape[1]
    self.width = width ?? images.shape[2]
    precondition(self.width > 0 && self.height > 0, "images of \(self.width)x\(self.height)")
    let sidecar = (path.hasSuffix(".npz") ? String(path.dropLast(4)) : path) + ".txt"
    if FileManager.default.fileExists(atPath: sidecar) {
      captions = try ImageArraySource.lines(of: sidecar, count: images.shape[0])
    } else if file.names.contains("captions") {
      captions = try ImageArraySource.texts(
        in: file.storedTensor(named: "captions"), path: path, count: images.shape[0])
    } else if let reason = file.unreadable["captions"] {
      // NumPy's own arrays of text have types that Files does not read.
      throw CaptionedDataError(
        file: path, problem: "captions \(reason)",
        advice: "write them to \(sidecar), one a line")
    } else {
      throw CaptionedDataError(
        file: path, problem: "has no captions",
        advice: "write them to \(sidecar), one a line, or add the array 'captions'")
    }
  }

  /// The pairs of the given numbers.
  public func batch(at indices: [Int]) -> CaptionedMedia {
    let (oldHeight, oldWidth) = (stored.shape[1], stored.shape[2])
    let size = oldHeight * oldWidth * 3
    let images = stored.withUnsafeBytes { bytes in
      indices.map { index in
        precondition(captions.indices.contains(index), "pair \(index) of \(captions.count)")
        let image = Image(width: oldWidth, height: oldHeight, channelCount: 3) { samples in
          UnsafeMutableRawBufferPointer(samples).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: bytes[index * size..<(index + 1) * size]))
        }
        return image.fitted(width: width, height: height, background: .white)
      }
    }
    return CaptionedMedia(
      images: SampleTable.batch(images, width: width, height: height),
      captions: indices.map { captions[$0] })
  }

  /// The captions of the pairs of the given numbers.
  public func captions(at indices: [Int]) -> [String] { indices.map { captions[$0] } }

  private static func lines(of path: String, count: Int) throws -> [String] {
    let lines = try TextFile.lines(path: path).map(String.init)
    guard lines.count == count else {
      throw CaptionedDataError(
        file: path, problem: "has \(lines.count) lines, expected one for each of \(count) images")
    }
    return lines
  }

  private static func texts(
    in stored: StoredTensor, path: String, count: Int
  ) throws(CaptionedDataError) -> [String] {
    guard stored.elementType == .uint8, stored.shape.count == 2, stored.shape[0] == count else {
      throw CaptionedDataError(
        file: path,
        problem: "captions is \(stored), expected UTF-8 bytes, uint8 [\(count), L]")
    }
    let length = stored.shape[1]
    let texts = stored.withUnsafeBytes { bytes in
      (0..<count).map { row in
        let text = bytes[row * length..<(row + 1) * length]
        let end = text.lastIndex { $0 != 0 }.map { $0 + 1 } ?? text.startIndex
        return String(validating: text[text.startIndex..<end], as: UTF8.self)
      }
    }
    var captions: [String] = []
    for (row, text) in texts.enumerated() {
      guard let text else {
        throw CaptionedDataError(file: path, row: row + 1, problem: "captions is not UTF-8")
      }
      captions.append(text)
    }
    return captions
  }
}

extension Image {
  /// The image as RGB of another size: scaled until it covers it, and cut around the middle.
  ///
  /// Images that grow by a whole factor keep hard edges, as sprites should.
  func fitted(width: Int, height: Int, background: Color) -> Image {
    if self.width == width && self.height == height { return rgb(over: background) }
    let scale = max(Double(width) / Double(self.width), Double(height) / Double(self.height))
    let newWidth = max(width, Int((Double(self.width) * scale).rounded()))
    let newHeight = max(height, Int((Double(self.height) * scale).rounded()))
    let isWhole = newWidth % self.width == 0 && newHeight % self.height == 0
    // Only what is kept is scaled: of a long strip the whole would not fit into memory.
    let left = (newWidth - width) / 2
    let top = (newHeight - height) / 2
    let scaled = resized(
      width: newWidth, height: newHeight, method: isWhole ? .nearest : .bicubic,
      columns: left..<left + width, rows: top..<top + height)
    var result = Image(width: width, height: height, filledWith: background)
    result.draw(scaled, x: 0, y: 0)
    return result
  }
}

/// 8-bit samples as elements of -1...1.
enum SampleTable {
  /// The element of each sample, in the arithmetic of diffusers' image processor: `2 (x / 255) -
  /// 1`.
  static let elements: [Float] = (0...255).map { 2 * (Float($0) / 255) - 1 }

  /// RGB images of one size as a batch `[B, H, W, 3]`.
  static func batch(_ images: [Image], width: Int, height: Int) -> Tensor {
    let size = width * height * 3
    return Tensor(shape: [images.count, height, width, 3]) { target in
      elements.withUnsafeBufferPointer { table in
        for (index, image) in images.enumerated() {
          precondition(image.samples.count == size, "\(image) in a batch of \(width)x\(height)")
          image.samples.withUnsafeBufferPointer { samples in
            let start = index * size
            for offset in 0..<size { target[start + offset] = table[Int(samples[offset])] }
          }
        }
      }
    }
  }
}
