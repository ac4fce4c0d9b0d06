import Files
import Media
import Tensors
import TextToImage

/// What happens to an image before CLIP sees it: transformers' `CLIPImageProcessor`.
public struct CLIPImageProcessor: Sendable, Equatable {
  /// To what size an image is scaled.
  public enum Resizing: Sendable, Equatable {
    /// Not at all.
    case none
    /// Until its shorter edge has so many pixels.
    case shortestEdge(Int)
    /// To this size, whatever its proportions.
    case exact(width: Int, height: Int)
  }

  /// To what size it is scaled, by Pillow's bicubic filter.
  public var resizing: Resizing
  /// The size that is cut out around the middle, black where there is no image; nil for all.
  public var crop: (width: Int, height: Int)? {
    get { cropSize.map { ($0[0], $0[1]) } }
    set { cropSize = newValue.map { [$0.width, $0.height] } }
  }
  private var cropSize: [Int]?
  /// What samples 0 to 255 are multiplied by.
  public var scale: Float = 1 / 255
  /// Taken away from red, green and blue.
  public var mean: [Float] = [0.48145466, 0.4578275, 0.40821073]
  /// What they are divided by then.
  public var standardDeviation: [Float] = [0.26862954, 0.26130258, 0.27577711]

  /// CLIP's own treatment, for square images of a size.
  public init(size: Int) {
    resizing = .shortestEdge(size)
    cropSize = [size, size]
  }

  /// An image as the model sees it, `[H, W, 3]`.
  public func callAsFunction(_ image: Image) -> Tensor {
    let whole = scaledSize(of: image)
    let (width, height) = crop ?? whole
    // Halves are rounded down, also below zero.
    let left = (whole.width - width) >> 1
    let top = (whole.height - height) >> 1
    // Only what is cut out is scaled: of a long strip the whole would not fit into memory.
    let columns = max(0, left)..<min(whole.width, left + width)
    let rows = max(0, top)..<min(whole.height, top + height)
    let resized = image.rgb().resized(
      width: whole.width, height: whole.height, method: .bicubic, columns: columns, rows: rows)
    return Tensor(shape: [height, width, 3]) { result in
      resized.samples.withUnsafeBufferPointer { samples in
        for y in 0..<height {
          for x in 0..<width {
            let (column, row) = (x + left, y + top)
            let isInside = columns.contains(column) && rows.contains(row)
            let start =
              ((row - rows.lowerBound) * columns.count + column - columns.lowerBound) * 3
            for channel in 0..<3 {
              let sample = isInside ? Float(samples[start + channel]) : 0
              result[(y * width + x) * 3 + channel] =
                (sample * scale - mean[channel]) / standardDeviation[channel]
            }
          }
        }
      }
    }
  }

  /// Images as the model sees them, `[B, H, W, 3]`.
  public func callAsFunction(_ images: ArraySlice<Image>) -> Tensor {
    Tensor.stacked(images.map { self($0) })
  }

  /// The size of every image that comes out; nil if it depends on the one that goes in.
  var outputSize: (width: Int, height: Int)? {
    if let crop { return crop }
    if case .exact(let width, let height) = resizing { return (width, height) }
    return nil
  }

  /// The size of an image before it is cut.
  private func scaledSize(of image: Image) -> (width: Int, height: Int) {
    switch resizing {
    case .none: return (image.width, image.height)
    case .exact(let width, let height): return (width, height)
    case .shortestEdge(let size):
      let short = min(image.width, image.height)
      // The longer edge is cut to a whole number, as transformers does.
      let long = size * max(image.width, image.height) / short
      return image.width < image.height ? (size, long) : (long, size)
    }
  }
}

extension CLIPImageProcessor {
  /// Reads a `preprocessor_config.json`.
  ///
  /// - Throws: `FileError` if it asks for something else than a CLIP processor does.
  public init(path: String) throws {
    var reader = try ConfigurationReader(JSONValue(path: path), path: path)
    resizing = .none
    if try reader.boolean("do_resize") ?? true {
      let edges = try Self.edges("size", &reader) ?? [224]
      resizing =
        edges.count == 1 ? .shortestEdge(edges[0]) : .exact(width: edges[0], height: edges[1])
    }
    if try reader.boolean("do_center_crop") ?? true {
      let edges = try Self.edges("crop_size", &reader) ?? [224]
      cropSize = edges.count == 1 ? [edges[0], edges[0]] : edges
    }
    scale = try reader.boolean("do_rescale") ?? true ? 1 / 255 : 1
    if let factor = try reader.number("rescale_factor"), scale != 1 { scale = Float(factor) }
    if try reader.boolean("do_normalize") ?? true {
      mean = try Self.channels("image_mean", &reader) ?? mean
      standardDeviation = try Self.channels("image_std", &reader) ?? standardDeviation
      guard standardDeviation.allSatisfy({ $0 > 0 }) else {
        throw reader.error("image_std", "is not above 0")
      }
    } else {
      (mean, standardDeviation) = ([0, 0, 0], [1, 1, 1])
    }
    try reader.require("resample", 3)
  }

  /// One number for the shortest edge or a square, or width and height.
  private static func edges(_ key: String, _ reader: inout ConfigurationReader) throws -> [Int]? {
    guard let value = reader.value(key) else { return nil }
    func pixels(_ value: JSONValue?) -> Int? {
      guard case .number(let number) = value, let pixels = Int(exactly: number) else { return nil }
      return (1...8_192).contains(pixels) ? pixels : nil
    }
    if let edge = pixels(value) { return [edge] }
    if case .object(let members) = value {
      if let edge = pixels(members["shortest_edge"]) { return [edge] }
      if let width = pixels(members["width"]), let height = pixels(members["height"]) {
        return [width, height]
      }
    }
    throw reader.error(
      key, "is \(value.text.split(separator: "\n").joined())",
      advice: "expected a number of pixels, shortest_edge, or width and height")
  }

  private static func channels(
    _ key: String, _ reader: inout ConfigurationReader
  ) throws -> [Float]? {
    guard let value = reader.value(key) else { return nil }
    guard case .array(let values) = value, values.count == 3 else {
      throw reader.error(key, "is not a list of three numbers")
    }
    return try values.map {
      guard case .number(let number) = $0, number.isFinite else {
        throw reader.error(key, "is not a list of three numbers")
      }
      return Float(number)
    }
  }

  /// What `preprocessor_config.json` says.
  public var json: JSONValue {
    var members: [String: JSONValue] = [
      "image_processor_type": "CLIPImageProcessor", "do_convert_rgb": true, "do_rescale": true,
      "do_normalize": true, "rescale_factor": .number(Double(scale)), "resample": 3,
      "image_mean": .array(mean.map { .number($0.shortest) }),
      "image_std": .array(standardDeviation.map { .number($0.shortest) }),
      "do_resize": .boolean(resizing != .none), "do_center_crop": .boolean(cropSize != nil),
    ]
    switch resizing {
    case .none: break
    case .shortestEdge(let edge):
      members["size"] = .object(["shortest_edge": .number(Double(edge))])
    case .exact(let width, let height):
      members["size"] = .object([
        "width": .number(Double(width)), "height": .number(Double(height)),
      ])
    }
    if let cropSize {
      members["crop_size"] = .object([
        "width": .number(Double(cropSize[0])), "height": .number(Double(cropSize[1])),
      ])
    }
    return .object(members)
  }
}
