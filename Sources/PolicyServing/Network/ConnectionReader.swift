/// Takes what a connection sends apart, and keeps no more of it than the limits allow.
struct ConnectionReader {
  /// How long a client may take, and how much it may send.
  struct Limits: Sendable {
    /// From one request to the next.
    var idleTime: Duration
    /// For the rest of a request that has begun, and for an answer to be taken.
    var requestTime: Duration
    /// The bytes of a request's lines.
    var maxHeadSize = 16_384
    /// The bytes of a body, or of a message.
    var maxBodySize: Int
  }

  let limits: Limits
  private let connection: Connection
  private var buffer: [UInt8] = []
  /// What has been taken of the buffer.
  private var start = 0

  init(_ connection: Connection, limits: Limits) {
    self.connection = connection
    self.limits = limits
  }

  private var available: Int { buffer.count - start }

  /// The lines of the next request; nil if the peer ends instead of beginning one.
  ///
  /// - Throws: `RequestFailure` if they are too long, `Connection.Ended` if they break off.
  mutating func nextHead() async throws -> [UInt8]? {
    guard try await begin() else { return nil }
    var scanned = 0
    while true {
      // Empty lines before a request do not count.
      while available > 0, buffer[start] == 0x0D || buffer[start] == 0x0A {
        start += 1
        scanned = 0
      }
      if let end = endOfHead(after: &scanned) {
        let head = Array(buffer[start..<end])
        start = end
        return head
      }
      guard available <= limits.maxHeadSize else {
        throw RequestFailure(
          431,
          "the request's lines do not end, expected at most \(limits.maxHeadSize) bytes of them")
      }
      try await fill()
    }
  }

  /// The place behind the empty line that ends a request's lines.
  private func endOfHead(after scanned: inout Int) -> Int? {
    var index = start + max(scanned, 1)
    while index < buffer.count {
      if buffer[index] == 0x0A {
        let isEmpty =
          buffer[index - 1] == 0x0A
          || index - start >= 2 && buffer[index - 1] == 0x0D && buffer[index - 2] == 0x0A
        if isEmpty, index - start < limits.maxHeadSize { return index + 1 }
      }
      index += 1
    }
    scanned = available
    return nil
  }

  /// The next bytes, which are known not to be too many.
  mutating func bytes(_ count: Int) async throws -> [UInt8] {
    while available < count { try await fill() }
    defer { start += count }
    return Array(buffer[start..<start + count])
  }

  /// Waits for the next request or message; false if the peer ends instead.
  mutating func begin() async throws -> Bool {
    if available == 0 {
      connection.expect(within: limits.idleTime)
      do {
        try await fill()
      } catch is Connection.Ended {
        return false
      }
    }
    // For all of it, however slowly it comes.
    connection.expect(within: limits.requestTime)
    return true
  }

  private mutating func fill() async throws {
    let bytes = try await connection.receive()
    if start == buffer.count {
      buffer = bytes
    } else {
      buffer.removeFirst(start)
      buffer += bytes
    }
    start = 0
  }
}
