/// Where a server listens, who may use it, and how much it takes.
public struct PolicyServerOptions: Sendable {
  /// An address of this machine, or `localhost`. Addresses that other machines reach need a token.
  public var host = "127.0.0.1"
  /// 0 for one that is free.
  public var port: UInt16 = 0
  /// What every request has to carry as `Authorization: Bearer TOKEN`; nil for nothing.
  public var token: String?
  /// Decides the noise of sessions that name no seed; that of `attune policy evaluate`.
  public var seed: UInt64 = 1_000_000
  /// The sessions of HTTP that are kept.
  public var maxSessions = 64
  /// After which a session that nobody uses is forgotten.
  public var sessionIdleTime = Duration.seconds(600)
  /// The connections that are open at a time.
  public var maxConnections = 256
  /// The bytes of a body, or of a WebSocket's message; nil for 1 MiB, and beside it what the images
  /// of a decision take where the policy sees some.
  public var maxBodySize: Int?
  /// After which a connection that sends nothing is closed.
  public var connectionIdleTime = Duration.seconds(600)
  /// How long a request may take to arrive whole, and its answer to be taken.
  public var requestTime = Duration.seconds(10)
  /// The decisions that are made together.
  public var maxBatchSize = 64

  /// The bytes of a body for a policy.
  func maxBodySize(for policy: ServedPolicy) -> Int {
    maxBodySize ?? (1 << 20) + policy.imageByteCount
  }

  /// This machine alone, at a free port.
  public init() {}

  /// - Throws: `ServingError` if others could reach the server without a token, or the token is none.
  func check(_ address: ListeningAddress) throws(ServingError) {
    guard let token else {
      guard address.isLoopback else { throw .unprotected(host) }
      return
    }
    guard (16...512).contains(token.utf8.count),
      token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { throw .token }
  }
}
