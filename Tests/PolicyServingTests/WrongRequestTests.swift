import Foundation
import Tensors
import Testing

@testable import PolicyServing

/// What clients may not send, and that nothing of it stops the server.
struct WrongRequestTests {
  private static let zeros = "[" + Array(repeating: "0", count: 11).joined(separator: ",") + "]"

  /// Bodies of `POST /act`, and what the answer contains.
  private static let bodies: [(body: String, message: String)] = [
    ("", "not JSON"), ("{", "not JSON"), ("null", "null"), ("[]", "no object"), ("7", "no object"),
    ("\u{FEFF}{}x", "not JSON"), ("{}", "no observation"),
    (#"{"observation": 3}"#, "observation is no list"),
    (#"{"observation": null}"#, "observation is null"),
    (#"{"observation": []}"#, "has 0 numbers, expected 11"),
    (#"{"observation": [1, 2]}"#, "has 2 numbers, expected 11"),
    (#"{"observation": [0,0,0,0,0,0,0,0,0,0,0,0]}"#, "has 12 numbers"),
    (#"{"observation": [0,0,0,0,0,0,0,0,0,0,"1"]}"#, "observation[10] is no number"),
    (#"{"observation": [0,0,0,0,0,0,0,0,0,0,true]}"#, "observation[10] is no number"),
    (#"{"observation": [0,0,0,0,0,0,0,0,0,0,null]}"#, "observation[10] is null"),
    (#"{"observation": [0,0,0,0,0,0,0,0,0,0,NaN]}"#, "no NaN"),
    (#"{"observation": [0,0,0,0,0,0,0,0,0,0,Infinity]}"#, "no NaN"),
    (#"{"observation": [0,0,0,0,0,0,0,0,0,0,1e999]}"#, "observation has a number out of range"),
    (#"{"observation": [0,0,0,0,0,0,0,0,0,0,1e39]}"#, "observation has a number out of range"),
    (#"{"observation": [0,0,0,0,0,0,0,0,0,0,3e38]}"#, "expected a finite number"),
    (#"{"observations": []}"#, "observations is empty"),
    (#"{"observations": [[1]]}"#, "has 1 numbers"),
    (#"{"observations": \#(zeros)}"#, "observations[0] is no list"),
    (#"{"observations": [\#(zeros), [1]]}"#, "observations[1] has 1 numbers"),
    (#"{"observation": \#(zeros), "observations": [\#(zeros)]}"#, "one of them"),
    (#"{"observation": \#(zeros), "reset": 1}"#, "reset is no true or false"),
    (#"{"observation": \#(zeros), "chunk": "yes"}"#, "chunk is no true or false"),
    (#"{"observation": \#(zeros), "session": 5}"#, "session is no text"),
    (#"{"observation": \#(zeros), "session": ""}"#, "session is no name"),
    (#"{"observation": \#(zeros), "session": "a b"}"#, "session is no name"),
    (
      #"{"observation": \#(zeros), "session": "\#(String(repeating: "a", count: 65))"}"#,
      "session is no name"
    ),
    (#"{"observation": \#(zeros), "reset": true, "seed": -1}"#, "seed has a number"),
    (#"{"observation": \#(zeros), "reset": true, "episode": 1.5}"#, "episode has a number"),
    (#"{"observation": \#(zeros), "reset": true, "episode": -2}"#, "episode is -2"),
    (#"{"observation": \#(zeros), "obs": 1}"#, "an unknown key"),
    (#"{"observation": \#(zeros), "close": true}"#, "one of them"),
    (String(repeating: "[", count: 100_000), "expected"),
    (#"{"observation": "# + String(repeating: "[", count: 5_000), "expected"),
  ]

  @Test func bodiesAreRefusedInOneLine() async throws {
    try await withServer { (server) throws in
      let connection = try server.connect()
      for (body, message) in Self.bodies {
        let response = try connection.request("POST", "/act", body)
        #expect(response.status == 400 && response.isOneLine, "\(body.prefix(80)): \(response)")
        let error = try response.error ?? ""
        #expect(error.contains(message), "\(body.prefix(80)): \(error)")
        #expect(error.contains("expected"), "\(body.prefix(80)): \(error)")
      }
      // The connection is as good as before, and no session was begun.
      #expect(server.server.statistics.sessions == 0)
      #expect(server.server.statistics.refusedRequests == Self.bodies.count)
      let good = try connection.request("POST", "/act", "{\"observation\": \(Self.zeros)}")
      #expect(good.status == 200)
      let later = try connection.request(
        "POST", "/act", "{\"observation\": \(Self.zeros), \"seed\": 3}")
      #expect(later.status == 400)
    }
  }

  /// Whole requests, and the status of the answer.
  private static let requests: [(request: String, status: Int)] = [
    ("GET /nowhere HTTP/1.1\r\n\r\n", 404), ("GET /act HTTP/1.1\r\n\r\n", 405),
    ("POST / HTTP/1.1\r\n\r\n", 405), ("DELETE /reset HTTP/1.1\r\n\r\n", 405),
    ("POST /ws HTTP/1.1\r\n\r\n", 405), ("GET /../act HTTP/1.1\r\n\r\n", 404),
    ("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", 400), ("GET\r\n\r\n", 400), ("GET /\r\n\r\n", 400),
    ("GET / HTTP/2\r\n\r\n", 400), ("GET  / HTTP/1.1\r\n\r\n", 400),
    ("G(T / HTTP/1.1\r\n\r\n", 400), ("GET http://x/ HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400), ("GET / HTTP/1.1\r\n: x\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nA: 1\r\n folded\r\n\r\n", 400), ("GET / HTTP/1.1\r\nA : 1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nA: \u{1}\r\n\r\n", 400), ("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", 400),
    ("POST /act HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
    ("POST /act HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    ("POST /act HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400),
    ("POST /act HTTP/1.1\r\nContent-Length:\r\n\r\n", 400),
    ("POST /act HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    ("POST /act HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
    ("POST /act HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n", 413),
    ("POST /act HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    ("GET /ws?episode=-1 HTTP/1.1\r\n\r\n", 400), ("GET /ws?seed=x HTTP/1.1\r\n\r\n", 400),
    ("GET /ws?sead=1 HTTP/1.1\r\n\r\n", 400),
    ("GET /ws HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 400),
    ("POST /reset HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]", 400),
    ("POST /reset HTTP/1.1\r\nContent-Length: 14\r\n\r\n{\"chunk\":true}", 400),
    ("GET / HTTP/1.1\r\nOrigin: https://example.org\r\n\r\n", 403),
    ("GET / HTTP/1.1\r\nA: \(String(repeating: "a", count: 20_000))\r\n\r\n", 431),
    (String(repeating: "A", count: 100_000), 431),
    ("GET / HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 10_000) + "\r\n", 431),
  ]

  @Test func requestsAreRefusedInOneLine() async throws {
    try await withServer { (server) throws in
      for (request, status) in Self.requests {
        let connection = try server.connect()
        connection.send(request)
        connection.finishSending()
        let response = try connection.response()
        #expect(response.status == status, "\(request.prefix(80)): \(response)")
        #expect(response.isOneLine)
        #expect(try response.error != nil)
      }
      // Not UTF-8.
      let connection = try server.connect()
      connection.send(Array("GET / HTTP/1.1\r\nA: ".utf8) + [0xFF, 0xFE] + Array("\r\n\r\n".utf8))
      #expect(try connection.response().status == 400)
    }
  }

  @Test func webSocketMessagesAreRefused() async throws {
    try await withServer { (server) throws in
      let socket = try server.connect()
      #expect(try socket.upgrade().status == 101)
      // The connection stays, and tells what was expected.
      #expect(try socket.ask("{}").error?.contains("expected") == true)
      #expect(try socket.ask("").error?.contains("not JSON") == true)
      #expect(try socket.ask(#"{"reset":true,"session":"a"}"#).error?.contains("session") == true)
      #expect(try socket.ask([1, 2]) == nil)
      #expect(try socket.ask([Float](repeating: .nan, count: 11)) == nil)
      socket.send(RawConnection.frame(2, [1, 2, 3]))
      let (opcode, payload) = try socket.message()
      #expect(opcode == 1)
      #expect(String(decoding: payload, as: UTF8.self).contains("3 bytes, expected 44"))
      socket.send(RawConnection.frame(1, [0xFF, 0xFE]))
      #expect(try socket.message().opcode == 1)
      #expect(try socket.ask([Float](repeating: 0, count: 11))?.count == 3)
    }
  }

  /// Breaches of the protocol end the connection, with their code.
  @Test func webSocketViolationsEnd() async throws {
    let breaches: [(frames: [UInt8], code: [UInt8])] = [
      (RawConnection.frame(1, [1], isMasked: false), [3, 234]),
      (RawConnection.frame(3, [1]), [3, 234]),
      (RawConnection.frame(0x40 | 1, [1]), [3, 234]),
      (RawConnection.frame(0, [1]), [3, 234]),
      (RawConnection.frame(9, [1], isLast: false), [3, 234]),
      (RawConnection.frame(9, [UInt8](repeating: 1, count: 126)), [3, 234]),
      (
        RawConnection.frame(1, [1], isLast: false) + RawConnection.frame(2, [1]), [3, 234]
      ),
      (RawConnection.frame(1, [], isLast: false), [3, 234]),
      ([0x81, 0xFF] + [UInt8](repeating: 0xFF, count: 12), [3, 241]),
      ([0x82, 0xFF, 0, 0, 0, 0, 0, 0x10, 0, 1, 1, 2, 3, 4], [3, 241]),
      (
        RawConnection.frame(2, [UInt8](repeating: 0, count: 60_000), isLast: false)
          + (0..<20).flatMap { _ in
            RawConnection.frame(0, [UInt8](repeating: 0, count: 60_000), isLast: false)
          }, [3, 241]
      ),
    ]
    try await withServer { (server) throws in
      for (frames, code) in breaches {
        let socket = try server.connect()
        #expect(try socket.upgrade().status == 101)
        socket.send(frames)
        let farewell = try socket.message()
        #expect(farewell.opcode == 8 && Array(farewell.payload.prefix(2)) == code)
        socket.finishSending()
        #expect(try socket.rest().isEmpty)
      }
    }
  }

  /// Random bytes, some of them after the beginning of a good request or a WebSocket's.
  @Test func rubbishDoesNotStopTheServer() async throws {
    try await withServer { (server) throws in
      var random = RandomStream(seed: 11, purpose: "rubbish")
      let good = "POST /act HTTP/1.1\r\nContent-Length: 40\r\n\r\n{\"observation\": [0,"
      for index in 0..<2_000 {
        let connection = try server.connect()
        var bytes = (0..<random.integer(below: 400)).map { _ in UInt8(random.integer(below: 256)) }
        switch index % 5 {
        case 0: bytes = Array(good.utf8.prefix(random.integer(below: good.utf8.count))) + bytes
        case 1:
          var request = Array((good + "0,0,0]}       \r\n\r\n").utf8)
          for _ in 0..<3 {
            request[random.integer(below: request.count)] = UInt8(random.integer(below: 256))
          }
          bytes = request
        case 2:
          if index % 2 == 0 {
            #expect(try connection.upgrade().status == 101)
          }
        default: break
        }
        connection.send(bytes)
        if index % 3 == 0 { connection.reset() }
        if index % 3 == 1 {
          connection.finishSending()
          _ = try connection.rest()
        }
      }
      let last = try server.act([Float](repeating: 0, count: 11), ",\"session\":\"last\"")
      #expect(last.status == 200)
    }
  }

  /// Clients that disappear: before, within and after a request, and as WebSockets.
  @Test func droppedConnectionsAreForgotten() async throws {
    try await withServer { (server) throws in
      let body = ServedPolicies.json(ServedPolicies.observations(1)[0])
      for index in 0..<200 {
        let connection = try server.connect()
        switch index % 4 {
        case 0: break
        case 1: connection.send("POST /act HTTP/1.1\r\nContent-Length: 300\r\n\r\n{\"observ")
        case 2:
          connection.send(
            "POST /act HTTP/1.1\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        default:
          #expect(try connection.upgrade().status == 101)
          connection.send(RawConnection.frame(1, Array(body.utf8)))
        }
        if index % 8 < 4 { connection.reset() }
      }
      // In a session of its own: that of those before may still be answering one of them.
      let own = ServedPolicies.json(ServedPolicies.observations(1)[0], ",\"session\":\"last\"")
      let connection = try server.connect()
      #expect(try connection.request("POST", "/act", own).status == 200)
      while server.server.statistics.connections > 1 { usleep(10_000) }
      #expect(try connection.request("POST", "/act", own).status == 200)
    }
  }
}
