import Environments
import Foundation
import Media
import Testing

@testable import PolicyServing

/// Policies that see images, over the network.
struct SentImagesTests {
  private static func policy() throws -> ServedPolicy {
    try ServedPolicy(ServedPolicies.pixelCheckpoint(), name: "pixels.safetensors")
  }

  /// Stripes that are others for each number.
  private static func image(_ number: Int) -> Image {
    Image(
      width: 24, height: 24, channelCount: 3,
      samples: (0..<1_728).map { UInt8(($0 * 7 + $0 / 72 * 40 + number * 90) % 256) })
  }

  private static func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

  private static func png(_ image: Image) -> String {
    "{\"png\": \"\(base64(image.pngBytes()))\"}"
  }

  private static func raw(_ image: Image) -> String {
    "{\"shape\": [\(image.height), \(image.width), \(image.channelCount)], "
      + "\"bytes\": \"\(base64(image.samples))\"}"
  }

  private static func body(_ image: String, _ more: String = "") -> String {
    "{\"observation\": [200, 300], \"images\": {\"image\": \(image)}\(more)}"
  }

  /// PNG, plain bytes and a WebSocket's binary message are the same image; so are those of a list.
  @Test func everyFormIsTheSameImage() async throws {
    try await withServer(Self.policy()) { (server) throws in
      var session = PolicySession(try Self.policy(), seed: 1_000_000)
      let expected = try (0..<4).map { number in
        try session.act([200, 300], images: ["image": Self.image(number)])
      }
      for (name, form) in [("png", Self.png), ("raw", Self.raw)] {
        let connection = try server.connect()
        for (number, action) in expected.enumerated() {
          let response = try connection.request(
            "POST", "/act", Self.body(form(Self.image(number)), ", \"session\": \"\(name)\""))
          #expect(try response.action == action, "\(response)")
        }
      }
      let socket = try server.connect()
      #expect(try socket.upgrade().status == 101)
      for (number, action) in expected.enumerated() {
        let numbers: [Float] = [200, 300]
        let bytes = numbers.flatMap { number in
          (0..<4).map { UInt8(number.bitPattern >> UInt32(8 * $0) & 0xFF) }
        }
        socket.send(RawConnection.frame(2, bytes + Self.image(number).samples))
        let (opcode, payload) = try socket.message()
        #expect(opcode == 2)
        let first = (0..<4).reduce(UInt32(0)) { $0 | UInt32(payload[$1]) << UInt32(8 * $1) }
        #expect(Float(bitPattern: first) == action[0])
      }
      // Both observations of a decision at once.
      var chunks = PolicySession(try Self.policy(), seed: 1_000_000)
      try chunks.observe([200, 300], images: ["image": Self.image(0)])
      let chunk = try chunks.chunk([100, 50], images: ["image": Self.image(1)])
      let response = try server.request(
        "POST", "/act",
        "{\"observations\": [[200, 300], [100, 50]], \"images\": [{\"image\": "
          + "\(Self.raw(Self.image(0)))}, {\"image\": \(Self.png(Self.image(1)))}], "
          + "\"chunk\": true, \"session\": \"chunks\"}")
      #expect(try response.actions == chunk, "\(response)")
    }
  }

  @Test func descriptionNamesCameras() async throws {
    try await withServer(Self.policy()) { (server) throws in
      let body = try server.request("GET", "/").body
      let description = try JSONDecoder().decode(PolicyDescription.self, from: Data(body.utf8))
      #expect(description.cameras == [Camera(name: "image", width: 24, height: 24)])
      #expect(description.observationSize == 2)
    }
    #expect(try ServedPolicies.small().description.cameras.isEmpty)
  }

  private static let refusals: [(body: String, message: String)] = {
    let small = Image(width: 8, height: 24, filledWith: .black)
    let grey = Image(
      width: 24, height: 24, channelCount: 1, samples: [UInt8](repeating: 9, count: 576))
    let good = png(image(0))
    // The header of a PNG of 65,535 x 65,535 pixels, and nothing else.
    var bomb = image(0).pngBytes()
    bomb.replaceSubrange(16..<24, with: [0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF])
    func body(_ images: String) -> String {
      "{\"observation\": [200, 300], \"images\": \(images)}"
    }
    return [
      (
        "{\"observation\": [200, 300]}",
        "no images, expected {\"observation\": [2 numbers], \"images\""
      ),
      (body("null"), "images has what is no object"), (body("[]"), "images has what is no object"),
      (body("{}"), "images lacks 'image', expected image"),
      (
        body("{\"image\": \(good), \"other\": \(good)}"),
        "images has an unknown camera, expected image"
      ),
      (body("{\"image\": 3}"), "images.image is no image, expected {\"png\": BASE64} or"),
      (body("{\"image\": {}}"), "images.image has neither png nor bytes, expected one of them"),
      (body("{\"image\": {\"png\": \"\", \"bytes\": \"\"}}"), "has png and bytes, expected one"),
      (body("{\"image\": {\"png\": 3}}"), "images.image is no image"),
      (body("{\"image\": {\"png\": \"?\"}}"), "images.image.png is not base64, expected"),
      (
        body("{\"image\": {\"png\": \"\"}}"),
        "images.image.png is no PNG (it is empty), expected one of 24x24 pixels"
      ),
      (
        body("{\"image\": {\"png\": \"\(base64([0xFF, 0xD8, 0xFF, 0xE0]))\"}}"),
        "is no PNG (it looks like a JPEG), expected one of 24x24 pixels"
      ),
      (body("{\"image\": \(png(small))}"), "images.image has shape [24, 8], expected [24, 24, 3]"),
      (body("{\"image\": \(png(grey))}"), "has shape [24, 24, 1], expected [24, 24, 3]"),
      (body("{\"image\": {\"png\": \"\(base64(bomb))\"}}"), "has shape [65535, 65535], expected"),
      (
        body("{\"image\": \(raw(small))}"),
        "images.image has shape [24, 8, 3], expected [24, 24, 3]"
      ),
      (body("{\"image\": {\"bytes\": \"AAAA\"}}"), "has bytes without their shape, expected [24"),
      (
        body("{\"image\": {\"bytes\": \"AAAA\", \"shape\": [24, 24, 3]}}"),
        "images.image has 3 bytes, expected 1728: those of [24, 24, 3]"
      ),
      (body("{\"image\": {\"bytes\": \"AAAA\", \"shape\": [1e99]}}"), "images.image is no image"),
      (
        "{\"observations\": [[200, 300]], \"images\": {\"image\": \(good)}}",
        "images is no list, expected one of as many"
      ),
      (
        "{\"observations\": [[200, 300], [1, 2]], \"images\": [{\"image\": \(good)}]}",
        "images of 1 observations, expected 2"
      ),
      (
        "{\"reset\": true, \"images\": {\"image\": \(good)}}",
        "images of 1 observations, expected 0"
      ),
    ]
  }()

  @Test func wrongImagesAreRefusedInOneLine() async throws {
    try await withServer(Self.policy()) { (server) throws in
      let connection = try server.connect()
      for (body, message) in Self.refusals {
        let response = try connection.request("POST", "/act", body)
        #expect(response.status == 400 && response.isOneLine, "\(body.prefix(80)): \(response)")
        let error = try response.error ?? ""
        #expect(error.contains(message), "\(body.prefix(80)): \(error)")
        #expect(error.contains("expected"), "\(body.prefix(80)): \(error)")
      }
      #expect(server.server.statistics.sessions == 0)
      let socket = try server.connect()
      #expect(try socket.upgrade().status == 101)
      socket.send(RawConnection.frame(2, [1, 2, 3]))
      #expect(
        String(decoding: try socket.message().payload, as: UTF8.self).contains(
          "3 bytes, expected 1736: 2 numbers in float32, little-endian, then [24, 24, 3] bytes of "
            + "'image'"))
      let good = try connection.request("POST", "/act", Self.body(Self.png(Self.image(0))))
      #expect(good.status == 200, "\(good)")
    }
  }

  @Test func imagesForABlindPolicyAreRefused() async throws {
    try await withServer { (server) throws in
      let numbers = [Float](repeating: 0, count: 11)
      let response = try server.act(numbers, ", \"images\": {}")
      #expect(response.status == 400)
      #expect(try response.error == "images, expected none: the policy sees numbers only")
    }
  }

  /// What all images of a decision take has room, and no more; a smaller limit holds too.
  @Test func bodiesWithImagesAreBounded() async throws {
    let policy = try Self.policy()
    let room = (1 << 20) + (1_728 + 864) * 2
    #expect(PolicyServerOptions().maxBodySize(for: policy) == room)
    #expect(PolicyServerOptions().maxBodySize(for: try ServedPolicies.small()) == 1 << 20)
    let body = Self.body(Self.raw(Self.image(0)))
    try await withServer(policy) { (server) throws in
      let full = body + String(repeating: " ", count: room - body.utf8.count)
      #expect(try server.request("POST", "/act", full).status == 200)
      #expect(try server.request("POST", "/act", full + " ").status == 413)
    }
    try await withServer(policy, { $0.maxBodySize = 1_000 }) { (server) throws in
      #expect(try server.request("POST", "/act", body).status == 413)
      let socket = try server.connect()
      #expect(try socket.upgrade().status == 101)
      socket.send(RawConnection.frame(2, [UInt8](repeating: 0, count: 1_736)))
      #expect(try socket.message().opcode == 8)
    }
  }
}
