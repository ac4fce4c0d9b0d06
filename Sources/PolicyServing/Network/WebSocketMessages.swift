import FlyingFox

/// The messages of a WebSocket (RFC 6455), joined from their frames and bounded in size.
struct WebSocketMessages {
  /// What a client has sent.
  enum Message {
    case text([UInt8])
    case binary([UInt8])
  }

  /// Why a connection ends.
  struct Violation: Error {
    /// 1002, a breach of the protocol, or 1009, a message that is too large.
    var code: UInt16
    var reason: String
  }

  private let connection: Connection
  private var reader: ConnectionReader
  /// A message whose last frame has not come yet.
  private var begun: (opcode: WSFrame.Opcode, payload: [UInt8])?

  init(_ connection: Connection, reader: ConnectionReader) {
    self.connection = connection
    self.reader = reader
  }

  /// The next message; nil when the client has ended. Answers pings and a farewell on the way.
  ///
  /// - Throws: `Violation`, and what reading throws.
  mutating func next() async throws -> Message? {
    while try await reader.begin() {
      let frame = try await nextFrame()
      switch frame.opcode {
      case .ping: try await connection.send(Self.frame(.pong, frame.payload))
      case .pong: break
      case .close:
        try await connection.send(Self.frame(.close, Array(frame.payload.prefix(2))))
        return nil
      default:
        if let message = try joined(frame) { return message }
      }
    }
    return nil
  }

  private typealias Frame = (opcode: WSFrame.Opcode, isLast: Bool, payload: [UInt8])

  private mutating func nextFrame() async throws -> Frame {
    let bytes = try await reader.bytes(2)
    let (isLast, opcode) = (bytes[0] & 0x80 != 0, WSFrame.Opcode(bytes[0] & 0x0F))
    guard bytes[0] & 0x70 == 0 else { throw Violation(code: 1002, reason: "no extension is used") }
    guard bytes[1] & 0x80 != 0 else { throw Violation(code: 1002, reason: "frames are masked") }
    let known: [WSFrame.Opcode] = [.continuation, .text, .binary, .close, .ping, .pong]
    guard known.contains(opcode) else { throw Violation(code: 1002, reason: "unknown opcode") }
    var size = UInt64(bytes[1] & 0x7F)
    let isControl = opcode.rawValue >= 0x8
    guard !isControl || isLast && size <= 125 else {
      throw Violation(code: 1002, reason: "a control frame has at most 125 bytes")
    }
    if size >= 126 {
      size = try await reader.bytes(size == 126 ? 2 : 8).reduce(0) { $0 << 8 | UInt64($1) }
    }
    let room = reader.limits.maxBodySize - (isControl ? 0 : begun?.payload.count ?? 0)
    guard size <= UInt64(room) else {
      throw Violation(
        code: 1009, reason: "messages have at most \(reader.limits.maxBodySize) bytes")
    }
    let mask = try await reader.bytes(4)
    var payload = try await reader.bytes(Int(size))
    for index in payload.indices { payload[index] ^= mask[index & 3] }
    return (opcode, isLast, payload)
  }

  private mutating func joined(_ frame: Frame) throws -> Message? {
    guard (frame.opcode == .continuation) == (begun != nil) else {
      throw Violation(code: 1002, reason: "a message begins before the last one has ended")
    }
    let opcode = begun?.opcode ?? frame.opcode
    let payload = (begun?.payload ?? []) + frame.payload
    guard frame.isLast else {
      // Empty frames would cost time without ever filling the limit.
      guard !frame.payload.isEmpty else {
        throw Violation(code: 1002, reason: "an empty frame in the middle of a message")
      }
      begun = (opcode, payload)
      return nil
    }
    begun = nil
    return opcode == .text ? .text(payload) : .binary(payload)
  }

  /// A whole message, or a control frame, as a server sends it.
  static func frame(_ opcode: WSFrame.Opcode, _ payload: [UInt8]) -> [UInt8] {
    var bytes = [0x80 | opcode.rawValue]
    switch payload.count {
    case ...125: bytes.append(UInt8(payload.count))
    case ...0xFFFF: bytes += [126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    default: bytes += [127] + (0..<8).map { UInt8(payload.count >> (56 - 8 * $0) & 0xFF) }
    }
    return bytes + payload
  }

  /// The frame that ends a connection; reasons are shorter than a control frame.
  static func farewell(_ code: UInt16, _ reason: String) -> [UInt8] {
    frame(.close, [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8.prefix(123)))
  }
}

extension RequestHead {
  /// FlyingFox's answer to a request to become a WebSocket.
  ///
  /// - Throws: `RequestFailure` if it is none.
  func webSocketAnswer() async throws -> [UInt8] {
    let request = HTTPRequest(
      method: HTTPMethod(method), version: .http11, path: path, query: [],
      headers: HTTPHeaders(
        Dictionary(uniqueKeysWithValues: fields.map { (HTTPHeader($0.key), $0.value) })),
      body: HTTPBodySequence())
    let answer = try await WebSocketHTTPHandler(handler: NoFrames()).handleRequest(request)
    guard answer.statusCode == .switchingProtocols,
      let accepted = answer.headers[.webSocketAccept]
    else {
      let reason = String(decoding: try await answer.bodyData, as: UTF8.self)
      throw RequestFailure.malformed("no WebSocket's request: \(reason)")
    }
    return Array(
      """
      HTTP/1.1 101 Switching Protocols\r
      Connection: upgrade\r
      Upgrade: websocket\r
      Sec-WebSocket-Accept: \(accepted)\r
      \r

      """.utf8)
  }

  /// Only the handshake is FlyingFox's: its frames may have any size.
  private struct NoFrames: WSHandler {
    func makeFrames(
      for client: AsyncThrowingStream<WSFrame, any Error>
    ) async throws -> AsyncStream<WSFrame> {
      AsyncStream { $0.finish() }
    }
  }
}
