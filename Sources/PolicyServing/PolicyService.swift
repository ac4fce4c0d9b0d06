import Foundation
import Media

/// What requests are answered with: the protocol, without a network.
final class PolicyService: Sendable {
  static let webSocketPath = "/ws"
  private static let routes = [
    ("/", "GET"), ("/act", "POST"), ("/reset", "POST"), ("/statistics", "GET"),
    (webSocketPath, "GET"),
  ]

  private let policy: ServedPolicy
  private let token: [UInt8]?
  private let seed: UInt64
  private let sessions: SessionTable
  private let queue: DecisionQueue
  private let recorder = StatisticsRecorder()

  init(_ policy: ServedPolicy, options: PolicyServerOptions) {
    self.policy = policy
    token = options.token.map { Array($0.utf8) }
    seed = options.seed
    sessions = SessionTable(
      policy, seed: options.seed, maxCount: options.maxSessions,
      idleTime: options.sessionIdleTime)
    queue = DecisionQueue(policy, maxBatchSize: options.maxBatchSize)
  }

  /// All but the number of connections.
  var statistics: ServingStatistics {
    var statistics = recorder.statistics
    (statistics.batches, statistics.decisions) = queue.counts
    statistics.sessions = sessions.count
    return statistics
  }

  func countRefusal() { recorder.refused() }

  func expireSessions() { sessions.expire() }

  static func json(of value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  /// - Throws: `RequestFailure` if the request may not be answered.
  func authorize(_ head: RequestHead) throws(RequestFailure) {
    guard let token else {
      // A page that a browser of this machine shows could otherwise reach the robot.
      guard head.fields["origin"] == nil else {
        throw RequestFailure(
          403, "requests of web pages (with an Origin) need a server with --token")
      }
      return
    }
    let words = (head.fields["authorization"] ?? "").split(separator: " ")
    guard words.count == 2, words[0].lowercased() == "bearer",
      Self.isEqual(Array(words[1].utf8), token)
    else { throw RequestFailure(401, "expected the server's token: Authorization: Bearer TOKEN") }
  }

  /// Takes as long wherever the texts begin to differ.
  static func isEqual(_ found: [UInt8], _ token: [UInt8]) -> Bool {
    var difference = found.count ^ token.count
    for index in token.indices {
      difference |= Int(token[index] ^ (found.isEmpty ? 0 : found[index % found.count]))
    }
    return difference == 0
  }

  /// The answer to a request but that of statistics and WebSockets.
  ///
  /// - Throws: `RequestFailure`.
  func answer(_ head: RequestHead, _ body: [UInt8]) async throws -> Response {
    switch (head.method, head.path) {
    case ("GET", "/"): return Response(try Self.json(of: policy.description))
    case ("POST", "/act"):
      let start = ContinuousClock.now
      let request = try read(body)
      guard !request.observations.isEmpty else { throw noObservation }
      let json = try await answer(request).json
      recorder.answered(within: .now - start)
      return Response(json)
    case ("POST", "/reset"):
      var request = body.isEmpty ? ActRequest() : try read(body)
      guard request.observations.isEmpty, !request.wantsChunk else {
        throw RequestFailure.malformed("an observation, expected at POST /act")
      }
      request.resets = true
      return Response(try await answer(request).json)
    default:
      let methods = Self.routes.filter { $0.0 == head.path }.map(\.1)
      guard let method = methods.first else {
        let known = Self.routes.map { "\($0.1) \($0.0)" }.joined(separator: ", ")
        throw RequestFailure(404, "no such path, expected \(known)")
      }
      throw RequestFailure(405, "no such method for this path, expected \(method)")
    }
  }

  private func answer(_ request: ActRequest) async throws -> ActAnswer {
    let name = request.session ?? ActRequest.unnamed
    let (session, isNew) = try sessions.take(name)
    var next = session
    do {
      let answer = try await answer(request, in: &next, isNew: isNew)
      if case .closed = answer {
        sessions.give(nil, to: name)
      } else {
        sessions.give(next, to: name)
      }
      return answer
    } catch {
      // As it was; and a session is not begun by a request that is refused.
      sessions.give(isNew ? nil : session, to: name)
      throw RequestFailure(error)
    }
  }

  /// The session of a connection; the query may have its `seed` and `episode`.
  ///
  /// - Throws: `RequestFailure` if they are no numbers.
  func session(_ head: RequestHead) throws(RequestFailure) -> PolicySession {
    var (seed, episode) = (seed, 0)
    for (key, value) in head.query {
      switch key {
      case "seed":
        guard let number = UInt64(value) else {
          throw .malformed("seed is no whole number from 0")
        }
        seed = number
      case "episode":
        guard let number = Int(value), number >= 0 else {
          throw .malformed("episode is no whole number from 0")
        }
        episode = number
      default: throw .malformed("an unknown key of the query, expected seed or episode")
      }
    }
    return PolicySession(policy, seed: seed, episode: episode)
  }

  /// The reply to a WebSocket's message, and why it was refused, if it was.
  func answer(
    _ message: WebSocketMessages.Message, in session: inout PolicySession
  ) async -> (reply: WebSocketMessages.Message, failure: RequestFailure?) {
    let start = ContinuousClock.now
    var next = session
    do {
      let reply: WebSocketMessages.Message
      var isCounted = true
      switch message {
      case .text(let json):
        let request = try read(json)
        guard request.session == nil, !request.closes else {
          throw RequestFailure.malformed("session and close, expected at HTTP: a connection is one")
        }
        isCounted = !request.observations.isEmpty
        reply = .text(Array(try await answer(request, in: &next, isNew: false).json.utf8))
      // The shortest way to begin an episode.
      case .binary(let bytes) where bytes.isEmpty:
        next.reset()
        isCounted = false
        reply = .binary([])
      case .binary(let bytes):
        var request = ActRequest()
        let (observation, images) = try observation(bytes)
        request.observations = [observation]
        request.images = images.isEmpty ? [] : [images]
        guard case .action(let action) = try await answer(request, in: &next, isNew: false) else {
          preconditionFailure("an observation is answered by an action")
        }
        reply = .binary(action.flatMap { Self.littleEndian($0) })
      }
      session = next
      if isCounted { recorder.answered(within: .now - start) }
      return (reply, nil)
    } catch {
      let failure = RequestFailure(error)
      return (.text(Array(failure.json.utf8)), failure)
    }
  }

  private func read(_ json: [UInt8]) throws(RequestFailure) -> ActRequest {
    try ActRequest(
      json, observationSize: policy.observationSize, cameras: policy.cameras)
  }

  private var noObservation: RequestFailure {
    let example = ActRequest.example(
      observationSize: policy.observationSize, cameras: policy.cameras)
    return .malformed("no observation, expected \(example)")
  }

  /// The numbers, and after them the images of cameras in their order.
  private func observation(
    _ bytes: [UInt8]
  ) throws(RequestFailure) -> ([Float], [String: Image]) {
    let size = policy.observationSize * 4
    let expected = policy.cameras.reduce(size) { $0 + CameraBytes.count(of: $1) }
    guard bytes.count == expected else {
      let images = policy.cameras.map { ", then \($0.shape) bytes of '\($0.name)'" }.joined()
      throw .malformed(
        "\(bytes.count) bytes, expected \(expected): \(policy.observationSize) numbers in float32, "
          + "little-endian\(images)")
    }
    let numbers = stride(from: 0, to: size, by: 4).map { start in
      Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) })
    }
    var images: [String: Image] = [:]
    var start = size
    for camera in policy.cameras {
      let end = start + CameraBytes.count(of: camera)
      images[camera.name] = try CameraBytes.image(
        of: camera, bytes[start..<end], place: "images.\(camera.name)")
      start = end
    }
    return (numbers, images)
  }

  private static func littleEndian(_ number: Float) -> [UInt8] {
    (0..<4).map { UInt8(number.bitPattern >> UInt32(8 * $0) & 0xFF) }
  }

  private func answer(
    _ request: ActRequest, in session: inout PolicySession, isNew: Bool
  ) async throws -> ActAnswer {
    if request.closes {
      guard request.observations.isEmpty else {
        throw RequestFailure.malformed("close with an observation, expected one of them")
      }
      return .closed
    }
    guard request.resets || isNew || request.seed == nil && request.episode == nil else {
      throw RequestFailure.malformed("seed and episode begin an episode, expected \"reset\": true")
    }
    // A new session stands at an episode's beginning already: that of its first number.
    if isNew {
      session.reset(seed: request.seed ?? seed, episode: request.episode ?? 0)
    } else if request.resets {
      session.reset(seed: request.seed, episode: request.episode)
    }
    guard !request.observations.isEmpty else {
      guard request.resets else { throw noObservation }
      return .episode(session.episode)
    }
    for (index, observation) in request.observations.enumerated() {
      try session.observe(
        observation, images: request.images.isEmpty ? [:] : request.images[index])
    }
    if request.wantsChunk || session.needsDecision {
      session.execute(await queue.decide(session.decisionRequest))
    }
    return request.wantsChunk
      ? .chunk(try session.takeActions()) : .action(try session.takeAction())
  }
}
