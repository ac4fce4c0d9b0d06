import Environments
import Foundation
import Media

/// The images of an observation as JSON has them, by the names of cameras:
/// `{"top": {"png": BASE64}, "wrist": {"shape": [H, W, C], "bytes": BASE64}}`.
struct SentImages: Decodable {
  /// By the names of cameras, all of them.
  let images: [String: Image]

  /// Where a decoder finds the cameras that the policy sees.
  static let cameras = userInfoKey("attune.cameras")

  private static func userInfoKey(_ name: String) -> CodingUserInfoKey {
    guard let key = CodingUserInfoKey(rawValue: name) else {
      preconditionFailure("\(name) is no key")
    }
    return key
  }

  private struct CameraKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    guard let cameras = decoder.userInfo[Self.cameras] as? [Camera] else {
      preconditionFailure("images are read for the cameras of a policy")
    }
    let values: KeyedDecodingContainer<CameraKey>
    do {
      values = try decoder.container(keyedBy: CameraKey.self)
    } catch {
      throw RequestFailure.malformed(
        "images has what is no object, expected \(Self.example(cameras))")
    }
    let names = cameras.map(\.name)
    guard values.allKeys.allSatisfy({ names.contains($0.stringValue) }) else {
      throw RequestFailure.malformed(
        "images has an unknown camera, expected \(names.joined(separator: ", "))")
    }
    var images: [String: Image] = [:]
    for camera in cameras {
      let key = CameraKey(stringValue: camera.name)
      guard values.contains(key) else {
        throw RequestFailure.malformed(
          "images lacks '\(camera.name)', expected \(names.joined(separator: ", "))")
      }
      let sent: SentImage
      do {
        sent = try values.decode(SentImage.self, forKey: key)
      } catch {
        throw RequestFailure.malformed(
          "images.\(camera.name) is no image, expected {\"png\": BASE64} or "
            + "{\"shape\": \(camera.shape), \"bytes\": BASE64}")
      }
      images[camera.name] = try sent.image(of: camera)
    }
    self.images = images
  }

  /// What images look like, in the words of errors.
  static func example(_ cameras: [Camera]) -> String {
    let items = cameras.map { "\"\($0.name)\": {\"png\": BASE64}" }
    return "{\(items.joined(separator: ", "))}"
  }
}

/// One image: the bytes of a PNG file, or samples with their shape.
private struct SentImage: Decodable {
  let png: String?
  let bytes: String?
  let shape: [Int]?

  private enum Key: String, CodingKey { case png, bytes, shape }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    png = try values.decodeIfPresent(String.self, forKey: .png)
    bytes = try values.decodeIfPresent(String.self, forKey: .bytes)
    shape = try values.decodeIfPresent([Int].self, forKey: .shape)
  }

  /// The image, which has the size of the camera's.
  func image(of camera: Camera) throws(RequestFailure) -> Image {
    let place = "images.\(camera.name)"
    switch (png, bytes) {
    case (let png?, nil): return try decoded(png, of: camera, place: place)
    case (nil, let bytes?):
      guard let shape else {
        throw .malformed("\(place) has bytes without their shape, expected \(camera.shape)")
      }
      guard shape == camera.shape else { throw Self.wrongShape(shape, of: camera, place: place) }
      return try CameraBytes.image(
        of: camera, try Self.unpacked(bytes, place: "\(place).bytes")[...], place: place)
    default:
      throw .malformed(
        "\(place) has \(png == nil ? "neither png nor bytes" : "png and bytes"), expected one of them"
      )
    }
  }

  private func decoded(
    _ text: String, of camera: Camera, place: String
  ) throws(RequestFailure) -> Image {
    let bytes = try Self.unpacked(text, place: "\(place).png")
    // The header first: a small file may stand for more pixels than there is memory.
    if let size = Self.pngSize(bytes), size != (camera.width, camera.height) {
      throw Self.wrongShape([size.1, size.0], of: camera, place: place)
    }
    let image: Image
    do throws(ImageFileError) {
      image = try Image(pngBytes: bytes)
    } catch {
      let problem =
        switch error {
        case .notPNG(_, let found): "is no PNG (\(found))"
        case .damaged(_, let reason): "is a damaged PNG (\(reason))"
        default: "cannot be read"
        }
      throw .malformed(
        "\(place).png \(problem), expected one of \(camera.width)x\(camera.height) pixels")
    }
    let shape = [image.height, image.width, image.channelCount]
    guard shape == camera.shape else { throw Self.wrongShape(shape, of: camera, place: place) }
    return image
  }

  private static func unpacked(_ text: String, place: String) throws(RequestFailure) -> [UInt8] {
    guard let data = Data(base64Encoded: text) else {
      throw .malformed("\(place) is not base64, expected letters, digits, '+', '/' and '='")
    }
    return Array(data)
  }

  private static func wrongShape(
    _ shape: [Int], of camera: Camera, place: String
  ) -> RequestFailure {
    .malformed(
      "\(place) has shape \(shape), expected \(camera.shape): height, width and channels")
  }

  /// Width and height that a PNG's header states; nil where there is none.
  private static func pngSize(_ bytes: [UInt8]) -> (Int, Int)? {
    guard bytes.count >= 24, Array(bytes[12..<16]) == Array("IHDR".utf8) else { return nil }
    func number(_ start: Int) -> Int { bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) } }
    return (number(16), number(20))
  }
}

/// Images as plain samples, as they lie in memory.
enum CameraBytes {
  /// The bytes of an image.
  static func count(of camera: Camera) -> Int { camera.shape.reduce(1, *) }

  static func image(
    of camera: Camera, _ bytes: ArraySlice<UInt8>, place: String
  ) throws(RequestFailure) -> Image {
    let expected = count(of: camera)
    guard bytes.count == expected else {
      throw .malformed(
        "\(place) has \(bytes.count) bytes, expected \(expected): those of \(camera.shape)")
    }
    return Image(
      width: camera.width, height: camera.height, channelCount: camera.channelCount,
      samples: Array(bytes))
  }
}
