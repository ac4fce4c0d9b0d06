import Configuration
import FlyingSocks
import Foundation
import Glibc
import Synchronization

/// Lets a policy act for robots over HTTP and WebSocket; docs/serving.md has the protocol.
public final class PolicyServer: Sendable {
  private struct State {
    var connections: [Int: Connection] = [:]
    var tasks: [Int: Task<Void, Never>] = [:]
    var nextNumber = 0
    var run: Task<Void, any Error>?
    var isStopped = false
  }

  /// The address that it listens on, such as `127.0.0.1:8765`.
  public let address: String
  let service: PolicyService
  private let options: PolicyServerOptions
  private let maxBodySize: Int
  private let socket: Socket
  private let pool = Connection.Pool.ePoll(maxEvents: 64)
  private let executor: (any TaskExecutor)?
  private let log: RefusalLog
  private let state = Mutex(State())

  /// Listens; `run` answers.
  ///
  /// - Parameters:
  ///   - policy: acts.
  ///   - options: where to listen, and limits.
  ///   - executor: runs the server's tasks; if nil, the threads of all tasks of the process, and
  ///     the server then answers no sooner than these are free.
  ///   - log: takes a line about a refused request, a few a second.
  /// - Throws: `ServingError` if the address is wrong, taken, or reached by others without a token.
  public init(
    _ policy: ServedPolicy, options: PolicyServerOptions = PolicyServerOptions(),
    executor: (any TaskExecutor)? = nil,
    log: @escaping @Sendable (String) -> Void = { _ in }
  ) throws {
    let listening = try ListeningAddress(host: options.host, port: options.port)
    try options.check(listening)
    self.options = options
    maxBodySize = options.maxBodySize(for: policy)
    self.executor = executor
    self.log = RefusalLog(log)
    service = PolicyService(policy, options: options)
    socket = try listening.listen()
    address = try socket.sockname().text
  }

  deinit {
    // One that was never run still listens.
    if state.withLock({ $0.run == nil }) { try? socket.close() }
  }

  /// What it has done so far.
  public var statistics: ServingStatistics {
    var statistics = service.statistics
    statistics.connections = state.withLock { $0.connections.count }
    return statistics
  }

  /// Answers until `stop`; not to be called again after that.
  ///
  /// - Throws: what the system refuses to the server as a whole.
  public func run() async throws {
    let task = Task(executorPreference: executor) { try await self.serve() }
    let isStopped = state.withLock { state in
      precondition(state.run == nil, "a server runs once")
      state.run = task
      return state.isStopped
    }
    if isStopped { task.cancel() }
    defer {
      // What is closed cannot be told that it was not.
      try? socket.close()
    }
    do {
      try await withTaskCancellationHandler {
        try await task.value
      } onCancel: {
        task.cancel()
      }
    } catch {
      // What is cancelled ends by some error: the pool of sockets finds itself disconnected.
      guard task.isCancelled else { throw error }
    }
  }

  /// Ends `run`: requests that have arrived are answered, connections closed.
  public func stop() {
    let task = state.withLock { state in
      state.isStopped = true
      return state.run
    }
    task?.cancel()
  }

  private func serve() async throws {
    try await pool.prepare()
    // Not a task that sleeps: what wakes it would wait for the threads of all tasks of the process.
    let sweeper = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "attune.sweeper"))
    sweeper.schedule(deadline: .now() + .milliseconds(250), repeating: .milliseconds(250))
    sweeper.setEventHandler { [weak self] in self?.sweep() }
    sweeper.resume()
    defer { sweeper.cancel() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { [pool] in try await pool.run() }
      group.addTask { try await self.accept() }
      defer { group.cancelAll() }
      // None of them ends by itself.
      try await group.next()
    }
  }

  /// Ends what takes too long, and forgets sessions that nobody uses.
  private func sweep() {
    let now = ContinuousClock.now
    let overdue = state.withLock { state in
      state.connections.filter { $0.value.isOverdue(at: now) }.map { ($1, state.tasks[$0]) }
    }
    for (connection, task) in overdue {
      task?.cancel()
      connection.stopReceiving()
    }
    service.expireSessions()
    log.flush()
  }

  private func accept() async throws {
    try await withThrowingDiscardingTaskGroup { group in
      while true {
        try Task.checkCancellation()
        do {
          let file = try socket.accept().file
          open(file, in: &group)
        } catch SocketError.blocked {
          try await pool.suspendSocket(socket, untilReadyFor: .connection)
        } catch SocketError.failed(_, let code, let message) where code != EBADF && code != EINVAL {
          // The peer is gone again, or files or memory are used up: later there will be some.
          log.add("cannot accept a connection: \(message)")
          try await Task.sleep(for: .milliseconds(100))
        }
      }
    }
  }

  private func open(
    _ file: Socket.FileDescriptor, in group: inout ThrowingDiscardingTaskGroup<any Error>
  ) {
    let connection: Connection
    do {
      connection = try Connection(file, pool: pool, within: options.requestTime)
    } catch {
      return  // The peer is gone again.
    }
    let number = state.withLock { state -> Int? in
      guard state.connections.count < options.maxConnections else { return nil }
      defer { state.nextNumber += 1 }
      state.connections[state.nextNumber] = connection
      return state.nextNumber
    }
    guard let number else {
      let failure = RequestFailure(
        503, "all \(options.maxConnections) connections are in use; close some")
      refuse(failure, of: connection)
      connection.sendAtOnce(Response(failure).bytes(keepsAlive: false))
      group.addTask { await connection.close() }
      return
    }
    let task = Task(executorPreference: executor) { await self.serve(connection) }
    state.withLock { $0.tasks[number] = task }
    group.addTask {
      await withTaskCancellationHandler {
        await task.value
      } onCancel: {
        task.cancel()
      }
      self.state.withLock { state in
        state.connections[number] = nil
        state.tasks[number] = nil
      }
    }
  }

  private func refuse(_ failure: RequestFailure, of connection: Connection) {
    service.countRefusal()
    log.add("\(connection.peer): \(failure.status): \(failure.message)".printable)
  }

  private func serve(_ connection: Connection) async {
    let reader = ConnectionReader(
      connection,
      limits: ConnectionReader.Limits(
        idleTime: options.connectionIdleTime, requestTime: options.requestTime,
        maxBodySize: maxBodySize))
    do {
      try await answerRequests(of: connection, reader)
    } catch {
      // The peer has ended it, or its time is over, or the server's.
    }
    await connection.close()
  }

  private func answerRequests(
    of connection: Connection, _ start: ConnectionReader
  ) async throws {
    var reader = start
    do {
      while let bytes = try await reader.nextHead() {
        let head = try RequestHead(bytes)
        try service.authorize(head)
        let size = try head.bodySize(limit: maxBodySize)
        if head.path == PolicyService.webSocketPath, head.method == "GET" {
          return try await answerMessages(of: connection, head, bodySize: size, reader)
        }
        if size > 0, head.expectsContinue {
          try await connection.send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
        }
        let body = try await reader.bytes(size)
        let response: Response
        do {
          response = try await answer(head, body)
        } catch let failure as RequestFailure {
          refuse(failure, of: connection)
          response = Response(failure)
        }
        let keepsAlive = head.keepsAlive && !Task.isCancelled
        try await connection.send(response.bytes(keepsAlive: keepsAlive))
        guard keepsAlive else { return }
      }
    } catch let failure as RequestFailure {
      // Where the next request begins is not known, or nobody may send one.
      refuse(failure, of: connection)
      try await connection.send(Response(failure).bytes(keepsAlive: false))
      try await connection.finish(dropping: 4 << 20, within: .seconds(2))
    }
  }

  private func answer(_ head: RequestHead, _ body: [UInt8]) async throws -> Response {
    if head.path == "/statistics", head.method == "GET" {
      return Response(try PolicyService.json(of: statistics))
    }
    return try await service.answer(head, body)
  }

  private func answerMessages(
    of connection: Connection, _ head: RequestHead, bodySize: Int, _ reader: ConnectionReader
  ) async throws {
    guard bodySize == 0 else { throw RequestFailure.malformed("a WebSocket's request has no body") }
    var session = try service.session(head)
    try await connection.send(try await head.webSocketAnswer())
    var messages = WebSocketMessages(connection, reader: reader)
    do {
      while let message = try await messages.next() {
        let (reply, failure) = await service.answer(message, in: &session)
        if let failure { refuse(failure, of: connection) }
        switch reply {
        case .text(let bytes): try await connection.send(WebSocketMessages.frame(.text, bytes))
        case .binary(let bytes): try await connection.send(WebSocketMessages.frame(.binary, bytes))
        }
      }
    } catch let violation as WebSocketMessages.Violation {
      refuse(.malformed("WebSocket: \(violation.reason)"), of: connection)
      try await connection.send(WebSocketMessages.farewell(violation.code, violation.reason))
      try await connection.finish(dropping: 4 << 20, within: .seconds(2))
    } catch let error as CancellationError {
      connection.sendAtOnce(WebSocketMessages.farewell(1001, "the server ends the connection"))
      throw error
    }
  }
}
