import Foundation
import Glibc
import Synchronization

@testable import PolicyServing

/// A server on a free port, for the length of a test.
func withServer<Result: Sendable>(
  _ policy: ServedPolicy? = nil, _ change: (inout PolicyServerOptions) -> Void = { _ in },
  log: @escaping @Sendable (String) -> Void = { _ in },
  _ body: @escaping @Sendable (RunningServer) throws -> Result
) async throws -> Result {
  var options = PolicyServerOptions()
  change(&options)
  let policy = try policy ?? ServedPolicies.small()
  // Other tests keep the threads of Swift's tasks busy for minutes, and clients block.
  let serving = ThreadExecutor()
  let server = try PolicyServer(policy, options: options, executor: serving, log: log)
  let run = Task(executorPreference: serving) { try await server.run() }
  do {
    let result = try await withTaskExecutorPreference(ThreadExecutor()) {
      try body(RunningServer(server: server))
    }
    server.stop()
    try await run.value
    return result
  } catch {
    server.stop()
    try await run.value
    throw error
  }
}

/// Runs tasks on a thread of its own.
final class ThreadExecutor: TaskExecutor {
  private let queue = DispatchQueue(label: "attune.test-tasks")

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}

struct RunningServer: Sendable {
  let server: PolicyServer

  var port: UInt16 { UInt16(server.address.split(separator: ":").last ?? "") ?? 0 }

  func connect() throws -> RawConnection { try RawConnection(port: port) }

  /// Sends a request on a connection of its own.
  func request(
    _ method: String, _ path: String, _ body: String = "", _ fields: [String] = []
  ) throws -> RawResponse {
    try connect().request(method, path, body, fields)
  }

  func act(_ observation: [Float], _ more: String = "") throws -> RawResponse {
    try request("POST", "/act", ServedPolicies.json(observation, more))
  }
}

/// What a server answered.
struct RawResponse {
  var status: Int
  var head: String
  var body: String

  private struct Content: Decodable {
    var action: [Float]?
    var actions: [[Float]]?
    var error: String?
    var episode: Int?
  }

  private var content: Content {
    get throws { try JSONDecoder().decode(Content.self, from: Data(body.utf8)) }
  }

  var action: [Float]? { get throws { try content.action } }
  var actions: [[Float]]? { get throws { try content.actions } }
  var episode: Int? { get throws { try content.episode } }
  var error: String? { get throws { try content.error } }
  /// Whether the body is one line of JSON.
  var isOneLine: Bool { body.hasSuffix("\n") && !body.dropLast().contains("\n") }
}

/// A socket that sends any bytes.
final class RawConnection {
  struct Failure: Error, CustomStringConvertible { let description: String }

  private let file: Int32
  private(set) var buffer: [UInt8] = []

  init(port: UInt16) throws {
    file = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    // Long enough for a loaded machine; only a server that does not answer takes as long.
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(file, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else {
      throw Failure(description: "cannot connect: \(String(cString: strerror(errno)))")
    }
  }

  deinit { close(file) }

  /// Sends what the server takes; it may have ended the connection already.
  func send(_ bytes: some Sequence<UInt8>) {
    let bytes = Array(bytes)
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(file, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      sent += count
    }
  }

  func send(_ text: String) { send(text.utf8) }

  /// Tells the server that nothing more comes.
  func finishSending() { shutdown(file, Int32(SHUT_WR)) }

  /// Ends the connection as a crashed client does: the peer is told of a reset.
  func reset() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(file, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
  }

  /// Reads more; false at the end.
  func fill() throws -> Bool {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    let count = recv(file, &chunk, chunk.count, 0)
    if count < 0, errno == EAGAIN { throw Failure(description: "no answer within a minute") }
    guard count > 0 else { return false }
    buffer += chunk[..<count]
    return true
  }

  /// All until the server ends the connection.
  func rest() throws -> [UInt8] {
    while try fill() {}
    defer { buffer = [] }
    return buffer
  }

  func take(_ count: Int) throws -> [UInt8] {
    while buffer.count < count {
      guard try fill() else { throw Failure(description: "the server ended the connection") }
    }
    defer { buffer.removeFirst(count) }
    return Array(buffer[..<count])
  }

  func response() throws -> RawResponse {
    while true {
      if let end = Self.end(of: buffer) {
        let head = String(decoding: try take(end), as: UTF8.self)
        let status = Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0
        let length = head.firstMatch(of: #/Content-Length: (\d+)/#).flatMap { Int($0.output.1) }
        let body = String(decoding: try take(length ?? 0), as: UTF8.self)
        return RawResponse(status: status, head: head, body: body)
      }
      guard try fill() else { throw Failure(description: "the server ended the connection") }
    }
  }

  private static func end(of bytes: [UInt8]) -> Int? {
    let end = Array("\r\n\r\n".utf8)
    guard bytes.count >= 4 else { return nil }
    return (0...bytes.count - 4).first { Array(bytes[$0..<$0 + 4]) == end }.map { $0 + 4 }
  }

  func request(
    _ method: String, _ path: String, _ body: String = "", _ fields: [String] = []
  ) throws -> RawResponse {
    let lines =
      ["\(method) \(path) HTTP/1.1", "Host: localhost"] + fields
      + ["Content-Length: \(body.utf8.count)"]
    send(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
    return try response()
  }

  // WebSocket.

  /// Becomes one.
  func upgrade(_ path: String = "/ws", _ fields: [String] = []) throws -> RawResponse {
    let lines = [
      "GET \(path) HTTP/1.1", "Host: localhost", "Upgrade: websocket",
      "Connection: keep-alive, Upgrade", "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    send((lines + fields).joined(separator: "\r\n") + "\r\n\r\n")
    return try response()
  }

  static func frame(
    _ opcode: UInt8, _ payload: [UInt8], isLast: Bool = true, isMasked: Bool = true
  ) -> [UInt8] {
    var bytes = [(isLast ? 0x80 : 0) | opcode]
    let flag: UInt8 = isMasked ? 0x80 : 0
    switch payload.count {
    case ...125: bytes.append(flag | UInt8(payload.count))
    case ...0xFFFF:
      bytes += [flag | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    default:
      bytes += [flag | 127] + (0..<8).map { UInt8(payload.count >> (56 - 8 * $0) & 0xFF) }
    }
    guard isMasked else { return bytes + payload }
    let mask: [UInt8] = [0x12, 0x34, 0x56, 0x78]
    return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 & 3] }
  }

  func message() throws -> (opcode: UInt8, payload: [UInt8]) {
    let head = try take(2)
    var size = Int(head[1])
    if size == 126 { size = try take(2).reduce(0) { $0 << 8 | Int($1) } }
    return (head[0] & 0x0F, try take(size))
  }

  func ask(_ text: String) throws -> RawResponse {
    send(Self.frame(1, Array(text.utf8)))
    let (opcode, payload) = try message()
    return RawResponse(
      status: Int(opcode), head: "", body: String(decoding: payload, as: UTF8.self))
  }

  func ask(_ observation: [Float]) throws -> [Float]? {
    send(
      Self.frame(
        2,
        observation.flatMap { number in
          (0..<4).map {
            UInt8(number.bitPattern >> UInt32(8 * $0) & 0xFF)
          }
        }))
    let (opcode, payload) = try message()
    guard opcode == 2 else { return nil }
    return stride(from: 0, to: payload.count, by: 4).map { start in
      Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(payload[start + $1]) << UInt32(8 * $1) })
    }
  }
}

/// Lines that a server has logged.
final class LogLines: Sendable {
  private let lines = Mutex<[String]>([])
  func add(_ line: String) { lines.withLock { $0.append(line) } }
  var all: [String] { lines.withLock { $0 } }
}
