import Foundation
import Testing

@testable import PolicyServing

/// Who may use a server, and how much.
struct ServerLimitTests {
  private static let token = "0123456789abcdef"

  @Test func tokensAreWanted() async throws {
    try await withServer(nil, { $0.token = Self.token }) { (server) throws in
      for fields in [
        [], ["Authorization: Bearer"], ["Authorization: Bearer 0123456789abcdeX"],
        ["Authorization: Bearer 0123456789abcdef0"], ["Authorization: Bearer 0123456789abcde"],
        ["Authorization: Basic \(Self.token)"], ["Authorization: \(Self.token)"],
      ] {
        let response = try server.request("GET", "/", "", fields)
        #expect(response.status == 401 && response.isOneLine, "\(fields)")
        #expect(response.head.contains("WWW-Authenticate: Bearer"))
        #expect(try server.connect().upgrade("/ws", fields).status == 401)
      }
      let fields = ["Authorization: bearer \(Self.token)"]
      #expect(try server.request("GET", "/", "", fields).status == 200)
      #expect(try server.connect().upgrade("/ws", fields).status == 101)
      // Web pages that know the token may use it.
      #expect(try server.request("GET", "/", "", fields + ["Origin: http://x"]).status == 200)
    }
  }

  @Test func tokensAreCompared() {
    #expect(PolicyService.isEqual(Array("abc".utf8), Array("abc".utf8)))
    for found in ["", "a", "abd", "bbc", "abcabc", "abcd"] {
      #expect(!PolicyService.isEqual(Array(found.utf8), Array("abc".utf8)))
    }
  }

  @Test(arguments: ["0.0.0.0", "::", "192.0.2.1"])
  func otherAddressesWantATokenFirst(_ host: String) throws {
    var options = PolicyServerOptions()
    options.host = host
    #expect(throws: ServingError.unprotected(host)) {
      try PolicyServer(ServedPolicies.small(), options: options)
    }
  }

  @Test(arguments: ["", "short", "0123456789abcdef ", "0123456789abcdéf"])
  func weakTokensAreRefused(_ token: String) throws {
    var options = PolicyServerOptions()
    options.token = token
    #expect(throws: ServingError.token) {
      try PolicyServer(ServedPolicies.small(), options: options)
    }
  }

  @Test(arguments: ["", "robot.example.org", "127.0.0.1:80", "300.0.0.1"])
  func hostsAreAddresses(_ host: String) throws {
    var options = PolicyServerOptions()
    options.host = host
    #expect(throws: ServingError.address(host)) {
      try PolicyServer(ServedPolicies.small(), options: options)
    }
  }

  @Test func loopbackIsKnown() throws {
    for host in ["127.0.0.1", "127.1.2.3", "localhost", "::1"] {
      #expect(try ListeningAddress(host: host, port: 0).isLoopback, "\(host)")
    }
    for host in ["0.0.0.0", "::", "128.0.0.1", "::2", "::ffff:127.0.0.1"] {
      #expect(try !ListeningAddress(host: host, port: 0).isLoopback, "\(host)")
    }
  }

  @Test func sessionsExpire() throws {
    let policy = try ServedPolicies.small()
    let clock = Clock()
    let table = SessionTable(
      policy, seed: 1, maxCount: 2, idleTime: .seconds(10), now: { clock.now })
    for name in ["a", "b"] { table.give(try table.take(name).session, to: name) }
    #expect(throws: RequestFailure.self) { _ = try table.take("c") }
    clock.advance(.seconds(6))
    var session = try table.take("a").session
    // It is being used: by nobody else, and it does not expire.
    do {
      _ = try table.take("a")
      Issue.record("a session is taken twice")
    } catch {
      #expect(error.status == 409)
    }
    session.reset()
    clock.advance(.seconds(6))
    #expect(try table.take("c").isNew)
    table.give(session, to: "a")
    clock.advance(.seconds(9))
    let kept = try table.take("a")
    #expect(!kept.isNew && kept.session.episode == 1)
    table.give(kept.session, to: "a")
    clock.advance(.seconds(10))
    table.expire()
    #expect(table.count == 1, "c is in use")
  }

  private final class Clock: Sendable {
    private let start = ContinuousClock.now
    private let passed = LogLines()
    func advance(_ duration: Duration) { passed.add("\(duration / .seconds(1))") }
    var now: ContinuousClock.Instant {
      start + .seconds(passed.all.reduce(0) { $0 + (Double($1) ?? 0) })
    }
  }

  @Test func sessionsAreBounded() async throws {
    let observation = ServedPolicies.observations(1)[0]
    try await withServer(nil, { $0.maxSessions = 3 }) { (server) throws in
      for name in ["a", "b", "c"] {
        #expect(try server.act(observation, ",\"session\":\"\(name)\"").status == 200)
      }
      let response = try server.act(observation, ",\"session\":\"d\"")
      #expect(response.status == 503 && response.isOneLine)
      #expect(try server.act(observation, ",\"session\":\"a\"").status == 200)
      _ = try server.request("POST", "/reset", #"{"session":"b","close":true}"#)
      #expect(try server.act(observation, ",\"session\":\"d\"").status == 200)
    }
  }

  @Test func sessionsOfServersExpire() async throws {
    try await withServer(nil, { $0.sessionIdleTime = .milliseconds(100) }) { (server) throws in
      #expect(try server.act(ServedPolicies.observations(1)[0]).status == 200)
      // The sweep forgets it; the test waits for as long as that takes.
      while server.server.statistics.sessions > 0 { usleep(10_000) }
    }
  }

  @Test func connectionsAreBounded() async throws {
    try await withServer(nil, { $0.maxConnections = 4 }) { (server) throws in
      let open = try (0..<4).map { _ in try server.connect() }
      for connection in open { #expect(try connection.request("GET", "/").status == 200) }
      let refused = try server.connect()
      #expect(try refused.response().status == 503)
      #expect(try refused.rest().isEmpty)
      #expect(try open[0].request("GET", "/", "", ["Connection: close"]).status == 200)
      #expect(try open[0].rest().isEmpty)
      while server.server.statistics.connections > 3 { usleep(10_000) }
      #expect(try server.request("GET", "/").status == 200)
    }
  }

  @Test func bodiesAreBounded() async throws {
    try await withServer(nil, { $0.maxBodySize = 1_000 }) { (server) throws in
      let body = ServedPolicies.json([Float](repeating: 0, count: 11))
      let full = body + String(repeating: " ", count: 1_000 - body.utf8.count)
      #expect(try server.request("POST", "/act", full).status == 200)
      let response = try server.request("POST", "/act", full + " ")
      #expect(response.status == 413 && response.isOneLine)
      #expect(response.head.contains("Connection: close"))
      let socket = try server.connect()
      #expect(try socket.upgrade().status == 101)
      #expect(try socket.ask(full).action?.count == 3)
      socket.send(RawConnection.frame(1, Array((full + " ").utf8)))
      #expect(try socket.message().opcode == 8)
    }
  }

  /// Who does not end a request, or sends nothing, is not waited for.
  @Test func slowClientsAreLeft() async throws {
    try await withServer(
      nil,
      {
        $0.requestTime = .milliseconds(200)
        $0.connectionIdleTime = .milliseconds(600)
      }
    ) { (server) throws in
      let (half, body, frame, idle) = (
        try server.connect(), try server.connect(), try server.connect(), try server.connect()
      )
      half.send("POST /act HTTP/1.1\r\nContent-")
      body.send("POST /act HTTP/1.1\r\nContent-Length: 10\r\n\r\n{")
      #expect(try frame.upgrade().status == 101)
      frame.send([0x81])
      #expect(try half.rest().isEmpty && body.rest().isEmpty && idle.rest().isEmpty)
      #expect(try frame.message().opcode == 8)
      #expect(try server.request("GET", "/").status == 200)
    }
  }

  @Test func refusalsAreLoggedSparingly() {
    let lines = LogLines()
    let log = RefusalLog { lines.add($0) }
    let start = ContinuousClock.now + .seconds(2)
    for index in 0..<100 { log.add("line \(index)", now: start + .milliseconds(index)) }
    #expect(lines.all == (0..<5).map { "line \($0)" })
    log.flush(now: start + .milliseconds(1_100))
    #expect(lines.all.last == "95 more requests refused")
    log.flush(now: start + .seconds(3))
    log.add("later", now: start + .seconds(3))
    #expect(lines.all.count == 7 && lines.all.last == "later")
  }

  @Test func refusalsAreLogged() async throws {
    let lines = LogLines()
    try await withServer(nil, log: { lines.add($0) }) { (server) throws in
      #expect(try server.request("POST", "/act", "{}").status == 400)
      #expect(try server.request("GET", "/").status == 200)
    }
    #expect(lines.all.count == 1)
    #expect(lines.all.first?.contains(": 400: no observation, expected") == true)
  }

  @Test func latenciesHaveQuantiles() throws {
    var histogram = LatencyHistogram()
    #expect(histogram.milliseconds(0.5) == nil && histogram.maxMilliseconds == nil)
    for index in 1...1_000 { histogram.add(Double(index) * 1e-5) }
    let (p50, p99) = (
      try #require(histogram.milliseconds(0.5)), try #require(histogram.milliseconds(0.99))
    )
    #expect(abs(p50 - 5) < 0.15 && abs(p99 - 9.9) < 0.3)
    histogram.add(1e9)
    histogram.add(0)
    #expect(histogram.maxMilliseconds == 1e12 && histogram.count == 1_002)
  }
}
