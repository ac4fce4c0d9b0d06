import DiffusionPolicies
import Foundation
import Media
import TestSupport
import Testing

@testable import PolicyServing

/// The protocol, over sockets.
struct PolicyServerTests {
  /// Hopper's actions by HTTP, by WebSocket's text and by its bytes are the session's.
  @Test func answersAreTheSessions() async throws {
    let policy = try ServedPolicy(ServedPolicies.hopperCheckpoint(), name: "hopper")
    let observations = ServedPolicies.observations(10)
    var session = PolicySession(policy, seed: 1_000_000)
    let expected = try observations.map { try session.act($0) }
    try await withServer(policy) { (server) throws in
      let connection = try server.connect()
      for (observation, action) in zip(observations, expected) {
        let response = try connection.request("POST", "/act", ServedPolicies.json(observation))
        #expect(response.status == 200 && response.isOneLine)
        #expect(try response.action == action)
      }
      let texts = try server.connect()
      let upgrade = try texts.upgrade()
      #expect(upgrade.status == 101)
      #expect(upgrade.head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "RFC 6455's example")
      let bytes = try server.connect()
      #expect(try bytes.upgrade().status == 101)
      for (observation, action) in zip(observations, expected) {
        #expect(try texts.ask(ServedPolicies.json(observation)).action == action)
        #expect(try bytes.ask(observation) == action)
      }
      let statistics = server.server.statistics
      #expect(statistics.requests == 30 && statistics.refusedRequests == 0)
      #expect(statistics.decisions == 9 && statistics.sessions == 1)
    }
  }

  /// An executor of its own answers while whatever else the process does takes all tasks' threads.
  @Test func busyThreadsDoNotDelay() async throws {
    let policy = try ServedPolicies.small()
    let observation = ServedPolicies.observations(1)[0]
    try await withServer(policy, { $0.requestTime = .milliseconds(200) }) { (server) throws in
      let isDone = DispatchSemaphore(value: 0)
      let count = ProcessInfo.processInfo.activeProcessorCount
      for _ in 0..<count { Task.detached { block(until: isDone) } }
      defer { for _ in 0..<count { isDone.signal() } }
      #expect(try server.act(observation).status == 200)
      let slow = try server.connect()
      slow.send("POST /act HTTP/1.1\r\nContent-")
      #expect(try slow.rest().isEmpty)
    }
  }

  @Test func policyIsDescribed() async throws {
    let policy = try ServedPolicies.small()
    try await withServer(policy) { (server) throws in
      let response = try server.request("GET", "/")
      #expect(response.status == 200 && response.isOneLine)
      #expect(response.head.contains("Content-Type: application/json"))
      let found = try JSONDecoder().decode(
        PolicyDescription.self, from: Data(response.body.utf8))
      #expect(found == policy.description)
    }
  }

  @Test func sessionsAreTheirOwn() async throws {
    let policy = try ServedPolicies.small()
    let observations = ServedPolicies.observations(6)
    var (left, right) = (PolicySession(policy, seed: 5), PolicySession(policy, seed: 5))
    left.reset(seed: 8, episode: 2)
    let leftActions = try observations.map { try left.act($0) }
    let rightActions = try observations.reversed().map { try right.act($0) }
    try await withServer(policy, { $0.seed = 5 }) { (server) throws in
      for index in observations.indices {
        let start = index == 0 ? ",\"reset\":true,\"seed\":8,\"episode\":2" : ""
        let one = try server.act(observations[index], ",\"session\":\"left\"" + start)
        #expect(try one.action == leftActions[index])
        let other = try server.act(observations.reversed()[index], ",\"session\":\"right\"")
        #expect(try other.action == rightActions[index])
      }
      #expect(server.server.statistics.sessions == 2)
      #expect(
        try server.request("POST", "/reset", #"{"session":"left","close":true}"#).body
          == "{\"closed\":true}\n")
      #expect(server.server.statistics.sessions == 1)
    }
  }

  @Test func episodesBegin() async throws {
    let policy = try ServedPolicies.small()
    let observation = ServedPolicies.observations(1)[0]
    let expected = try (0..<3).map { episode in
      var session = PolicySession(policy, seed: 1_000_000, episode: episode)
      return try session.act(observation)
    }
    try await withServer(policy) { (server) throws in
      #expect(try server.act(observation).action == expected[0])
      #expect(try server.request("POST", "/reset").episode == 1)
      #expect(try server.act(observation).action == expected[1])
      #expect(try server.act(observation, ",\"reset\":true").action == expected[2])
      #expect(try server.request("POST", "/reset", #"{"episode":1}"#).episode == 1)
      #expect(try server.act(observation).action == expected[1])

      let socket = try server.connect()
      #expect(try socket.upgrade("/ws?seed=1000000&episode=2").status == 101)
      #expect(try socket.ask(observation) == expected[2])
      #expect(try socket.ask(#"{"reset":true,"episode":0}"#).episode == 0)
      #expect(try socket.ask(observation) == expected[0])
      #expect(try socket.ask([]) == [])
      #expect(try socket.ask(observation) == expected[1])
    }
  }

  @Test func chunksAreGiven() async throws {
    let policy = try ServedPolicies.small()
    let observations = ServedPolicies.observations(5)
    var session = PolicySession(policy, seed: 1_000_000)
    let first = try session.chunk(observations[0])
    for index in [1, 2, 3] { try session.observe(observations[index]) }
    let second = try session.chunk(observations[4])
    try await withServer(policy) { (server) throws in
      #expect(try server.act(observations[0], ",\"chunk\":true").actions == first)
      let list = observations[1...].map { "[\($0.map { "\($0)" }.joined(separator: ","))]" }
      let body = "{\"observations\":[\(list.joined(separator: ","))],\"chunk\":true}"
      #expect(try server.request("POST", "/act", body).actions == second)
    }
  }

  /// Requests that come at once are answered in turn.
  @Test func requestsAreAnsweredInOrder() async throws {
    let policy = try ServedPolicies.small()
    let observations = ServedPolicies.observations(5)
    var session = PolicySession(policy, seed: 1_000_000)
    let expected = try observations.map { try session.act($0) }
    try await withServer(policy) { (server) throws in
      let connection = try server.connect()
      for observation in observations {
        let body = ServedPolicies.json(observation)
        connection.send(
          "POST /act HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
      }
      connection.finishSending()
      for action in expected { #expect(try connection.response().action == action) }
      #expect(try connection.rest().isEmpty)
    }
  }

  @Test func slowAndOldClientsAreServed() async throws {
    try await withServer { (server) throws in
      let body = ServedPolicies.json(ServedPolicies.observations(1)[0])
      let slow = try server.connect()
      let text = "\r\nPOST /act HTTP/1.1\nhost: x\ncontent-length: \(body.utf8.count)\n\n\(body)"
      for byte in text.utf8 { slow.send([byte]) }
      #expect(try slow.response().status == 200)
      let waiting = try server.connect()
      waiting.send(
        "POST /act HTTP/1.1\r\nContent-Length: \(body.utf8.count)\r\nExpect: 100-continue\r\n\r\n")
      #expect(try waiting.response().status == 100)
      waiting.send(body)
      #expect(try waiting.response().status == 200)
      let old = try server.connect()
      old.send("GET / HTTP/1.0\r\n\r\n")
      #expect(try old.response().head.contains("Connection: close"))
      #expect(try old.rest().isEmpty)
      let last = try server.connect()
      #expect(try last.request("GET", "/", "", ["Connection: close"]).status == 200)
      #expect(try last.rest().isEmpty)
    }
  }

  /// Frames in pieces, with pings between them, and a farewell.
  @Test func webSocketFramesAreJoined() async throws {
    try await withServer { (server) throws in
      let socket = try server.connect()
      #expect(try socket.upgrade().status == 101)
      let json = Array(ServedPolicies.json(ServedPolicies.observations(1)[0]).utf8)
      socket.send(RawConnection.frame(1, Array(json[..<9]), isLast: false))
      socket.send(RawConnection.frame(9, Array("still there".utf8)))
      socket.send(RawConnection.frame(0, Array(json[9..<20]), isLast: false))
      socket.send(RawConnection.frame(0, Array(json[20...])))
      let pong = try socket.message()
      #expect(pong.opcode == 10 && pong.payload == Array("still there".utf8))
      #expect(try socket.message().opcode == 1)
      socket.send(RawConnection.frame(8, [3, 232]))
      let farewell = try socket.message()
      #expect(farewell.opcode == 8 && farewell.payload == [3, 232])
      #expect(try socket.rest().isEmpty)
    }
  }

  @Test func statisticsAreServed() async throws {
    try await withServer { (server) throws in
      let connection = try server.connect()
      for observation in ServedPolicies.observations(4) {
        _ = try connection.request("POST", "/act", ServedPolicies.json(observation))
      }
      _ = try connection.request("POST", "/act", "{}")
      let body = try connection.request("GET", "/statistics").body
      let found = try JSONDecoder().decode(ServingStatistics.self, from: Data(body.utf8))
      #expect(found.requests == 4 && found.decisions == 2 && found.refusedRequests == 1)
      #expect(found.connections == 1 && found.sessions == 1)
      #expect(found.p50Milliseconds != nil && found.p99Milliseconds != nil)
    }
  }

  /// Connections that wait, and those that speak, end with the server.
  @Test func serverStops() async throws {
    let ends = try await withServer { (server) throws in
      let (waiting, half, socket) = (
        try server.connect(), try server.connect(), try server.connect()
      )
      #expect(try waiting.request("GET", "/").status == 200)
      half.send("POST /act HT")
      #expect(try socket.upgrade().status == 101)
      server.server.stop()
      let farewell = try socket.message()
      #expect(farewell.opcode == 8 && farewell.payload.prefix(2) == [3, 233])
      return [try waiting.rest(), try half.rest(), try socket.rest()]
    }
    #expect(ends == [[], [], []])
  }

  /// Wherever the server is: that it ends is no failure of it.
  @Test func stoppingIsNoError() async throws {
    let policy = try ServedPolicies.small()
    for index in 0..<300 {
      try await withServer(policy) { (server) throws in
        let connection = try server.connect()
        for _ in 0..<index % 3 { _ = try connection.request("GET", "/") }
        usleep(UInt32(index % 100 * 10))
      }
    }
  }

  @Test func serverThatHasStoppedDoesNotRun() async throws {
    let server = try PolicyServer(ServedPolicies.small())
    server.stop()
    try await server.run()
    // The port is free again.
    var options = PolicyServerOptions()
    options.port = try #require(server.address.split(separator: ":").last.flatMap { UInt16($0) })
    _ = try PolicyServer(ServedPolicies.small(), options: options)
  }

  @Test func takenPortsAreTold() async throws {
    try await withServer { (server) throws in
      var options = PolicyServerOptions()
      options.port = server.port
      do {
        _ = try PolicyServer(ServedPolicies.small(), options: options)
        Issue.record("two servers listen on \(server.port)")
      } catch {
        #expect("\(error)".contains("choose another port"))
      }
    }
  }

  /// With the images of a policy's cameras, if it has some: black ones.
  @Test(arguments: [false, true]) func clientOfTheSampleActs(seesImages: Bool) async throws {
    let program = try String(
      contentsOfFile: Repository.path("samples/serve/client.py"), encoding: .utf8)
    let policy =
      try seesImages
      ? ServedPolicy(ServedPolicies.pixelCheckpoint(), name: "pixels") : ServedPolicies.small()
    let images = Dictionary(
      uniqueKeysWithValues: policy.cameras.map {
        ($0.name, Image(width: $0.width, height: $0.height, filledWith: .black))
      })
    var session = PolicySession(policy, seed: 1_000_000)
    let zeros = [Float](repeating: 0, count: policy.observationSize)
    let expected = try (0..<3).map { _ in try session.act(zeros, images: images) }
    try await withServer(policy) { (server) throws in
      guard let python = Python(with: [], for: "samples/serve/client.py") else { return }
      let printed = try python.run(program, ["--port", "\(server.port)", "--steps", "3"])
      let lines = printed.split(separator: "\n")
      for (index, action) in expected.enumerated() {
        let found = try JSONDecoder().decode([Float].self, from: Data(lines[1 + index].utf8))
        #expect(found == action)
      }
    }
  }
}

/// Keeps the task's thread.
private func block(until isDone: DispatchSemaphore) { isDone.wait() }
