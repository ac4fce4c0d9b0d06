import Synchronization

/// The sessions of HTTP by name: bounded in number, and forgotten when nobody uses them.
final class SessionTable: Sendable {
  private struct Entry {
    var session: PolicySession
    var lastUse: ContinuousClock.Instant
    /// Whether a request of it is being answered.
    var isTaken: Bool
  }

  private let policy: ServedPolicy
  private let seed: UInt64
  private let maxCount: Int
  private let idleTime: Duration
  private let now: @Sendable () -> ContinuousClock.Instant
  private let entries = Mutex<[String: Entry]>([:])

  /// - Parameters:
  ///   - policy: acts.
  ///   - seed: of new sessions.
  ///   - maxCount: more sessions are refused.
  ///   - idleTime: after which a session is forgotten.
  ///   - now: the time.
  init(
    _ policy: ServedPolicy, seed: UInt64, maxCount: Int, idleTime: Duration,
    now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
  ) {
    self.policy = policy
    self.seed = seed
    self.maxCount = maxCount
    self.idleTime = idleTime
    self.now = now
  }

  var count: Int { entries.withLock { $0.count } }

  /// The session of a name, a new one if there is none; nobody else can take it until it is given
  /// back.
  ///
  /// - Returns: the session, and whether it is new.
  /// - Throws: `RequestFailure` if it is taken, or if there are too many.
  func take(_ name: String) throws(RequestFailure) -> (session: PolicySession, isNew: Bool) {
    let result = entries.withLock { entries -> Result<(PolicySession, Bool), RequestFailure> in
      expire(&entries)
      if let entry = entries[name] {
        guard !entry.isTaken else {
          return .failure(
            RequestFailure(
              409,
              "session '\(name)' has a request that is not answered yet; name a session for "
                + "each robot"))
        }
        entries[name]?.isTaken = true
        return .success((entry.session, false))
      }
      guard entries.count < maxCount else {
        return .failure(
          RequestFailure(
            503, "all \(maxCount) sessions are in use; POST /reset with \"close\": true ends one"))
      }
      let session = PolicySession(policy, seed: seed)
      entries[name] = Entry(session: session, lastUse: now(), isTaken: true)
      return .success((session, true))
    }
    return try result.get()
  }

  /// Gives a session back; nil forgets it.
  func give(_ session: PolicySession?, to name: String) {
    entries.withLock { entries in
      entries[name] = session.map { Entry(session: $0, lastUse: now(), isTaken: false) }
    }
  }

  /// Forgets sessions that nobody has used for long.
  func expire() { entries.withLock { expire(&$0) } }

  private func expire(_ entries: inout [String: Entry]) {
    let time = now()
    entries = entries.filter { $0.value.isTaken || time - $0.value.lastUse < idleTime }
  }
}
