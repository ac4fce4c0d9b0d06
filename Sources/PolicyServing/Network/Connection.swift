import FlyingFox
import FlyingSocks
import Foundation
import Glibc
import Synchronization

/// A client's connection. One task reads from it and writes to it, never two at a time.
final class Connection: Sendable {
  /// The peer has ended the connection.
  struct Ended: Error {}

  typealias Pool = SocketPool<ePoll>

  /// The peer's address, for the log.
  let peer: String
  private let socket: Socket
  private let pool: Pool
  private struct State {
    /// When the task is cancelled, whatever it waits for.
    var deadline: ContinuousClock.Instant
    /// Whether the file's number is still this connection's.
    var isOpen = true
  }

  private let state: Mutex<State>

  /// - Throws: what the system refuses; the file is closed then.
  init(_ file: Socket.FileDescriptor, pool: Pool, within duration: Duration) throws {
    socket = Socket(file: file)
    self.pool = pool
    state = Mutex(State(deadline: .now + duration))
    do {
      try socket.setFlags(.nonBlocking)
      // Answers are small and written whole: they must not wait for the acknowledgement of others.
      try socket.setValue(
        1, for: Int32SocketOption(level: Int32(IPPROTO_TCP), name: TCP_NODELAY))
      peer = try socket.remotePeer().text
    } catch {
      try? socket.close()
      throw error
    }
  }

  /// Whether what is waited for has taken too long.
  func isOverdue(at time: ContinuousClock.Instant) -> Bool {
    state.withLock { time > $0.deadline }
  }

  /// Sets how long whatever comes now may take.
  func expect(within duration: Duration) {
    state.withLock { $0.deadline = .now + duration }
  }

  /// Wakes a task that waits for bytes: the pool tells one that is cancelled only when the threads of
  /// all tasks are free.
  func stopReceiving() {
    state.withLock {
      if $0.isOpen { _ = shutdown(socket.file.rawValue, Int32(SHUT_RD)) }
    }
  }

  /// Some bytes, at least one.
  ///
  /// - Throws: `Ended` after the last one; `CancellationError` when time is over.
  func receive() async throws -> [UInt8] {
    // A socket that reports an error tells which when it is read from.
    var errorCount = 0
    while true {
      try Task.checkCancellation()
      do {
        return try socket.read(atMost: 16_384)
      } catch SocketError.blocked {
        errorCount += try await isReady(for: .read) ? 0 : 1
        if errorCount > 3 { throw Ended() }
      } catch SocketError.disconnected {
        throw Ended()
      }
    }
  }

  /// Writes all bytes.
  ///
  /// - Throws: `CancellationError` when time is over, and what the system refuses.
  func send(_ bytes: [UInt8]) async throws {
    let data = Data(bytes)
    var sent = 0
    var errorCount = 0
    while sent < data.count {
      do {
        sent = try socket.write(data, from: sent)
      } catch SocketError.blocked {
        errorCount += try await isReady(for: .write) ? 0 : 1
        if errorCount > 3 { throw Ended() }
      }
    }
  }

  /// Writes what can be written without waiting: a farewell.
  func sendAtOnce(_ bytes: [UInt8]) {
    // Nobody is left to be told if this fails.
    _ = try? socket.write(Data(bytes))
  }

  /// Tells the peer that nothing more comes, and reads what it has sent already: closing over unread
  /// bytes would take the last answer back.
  func finish(dropping maxCount: Int, within duration: Duration) async throws {
    expect(within: duration)
    shutdown(socket.file.rawValue, Int32(SHUT_WR))
    var count = 0
    while count < maxCount { count += try await receive().count }
  }

  /// Ends the connection. The file's number is free to be another connection's only when the pool has
  /// done with it: it hands a waiting task its event before it forgets the file.
  func close() async {
    shutdown(socket.file.rawValue, Int32(SHUT_RDWR))
    await pool.settle()
    state.withLock { $0.isOpen = false }
    // What is closed cannot be told that it was not.
    try? socket.close()
  }

  private func isReady(for events: Socket.Events) async throws -> Bool {
    do {
      try await pool.suspendSocket(socket, untilReadyFor: events)
      return true
    } catch SocketError.disconnected {
      return false
    }
  }
}

extension SocketPool {
  /// Returns when what the pool does now is done.
  fileprivate func settle() {}
}

extension Socket.Address {
  /// `127.0.0.1:8765`
  var text: String {
    switch self {
    case .ip4(let address, let port): "\(address):\(port)"
    case .ip6(let address, let port): "[\(address)]:\(port)"
    case .unix(let path): path
    }
  }
}
