import Foundation
import Synchronization

/// What a server has done, as `GET /statistics` states it.
public struct ServingStatistics: Codable, Equatable, Sendable {
  /// Observations that were answered with an action or a chunk.
  public var requests = 0
  /// Decisions of the policy: fewer, where an action was left of the last one.
  public var decisions = 0
  /// The batches that decisions were made in.
  public var batches = 0
  /// Requests that were refused.
  public var refusedRequests = 0
  /// The median of the time from a whole request to its answer, in milliseconds; nil before any.
  public var p50Milliseconds: Double?
  /// Within which 99 of 100 requests were answered, in milliseconds; nil before any.
  public var p99Milliseconds: Double?
  /// The maximum, in milliseconds; nil before any.
  public var maxMilliseconds: Double?
  /// Sessions of HTTP that are kept now.
  public var sessions = 0
  /// Connections that are open now.
  public var connections = 0
  /// Since the server started.
  public var uptimeSeconds = 0.0

  /// One line for people.
  public var text: String {
    func words(_ milliseconds: Double?) -> String {
      milliseconds.map { String(format: "%.2f ms", $0) } ?? "-"
    }
    return """
      \(requests) requests, \(decisions) decisions in \(batches) batches, \(refusedRequests) refused; \
      latency p50 \(words(p50Milliseconds)), p99 \(words(p99Milliseconds)), \
      max \(words(maxMilliseconds))
      """
  }
}

/// How often which time was taken: buckets whose widths grow with the time, 2% of it each.
struct LatencyHistogram: Sendable {
  /// From 1 microsecond to 100 seconds.
  private static let bucketsPerDoubling = 32.0
  private static let bucketCount = 27 * 32
  private var counts = [Int](repeating: 0, count: bucketCount)
  private(set) var count = 0
  private var maximum = 0.0

  /// Adds a time, in seconds.
  mutating func add(_ seconds: Double) {
    let doublings = log2(max(seconds * 1e6, 1))
    let bucket = min(Int(doublings * Self.bucketsPerDoubling), Self.bucketCount - 1)
    counts[bucket] += 1
    count += 1
    maximum = max(maximum, seconds)
  }

  /// The time within which a fraction was answered, in milliseconds: the upper end of its bucket;
  /// nil where there is none.
  func milliseconds(_ fraction: Double) -> Double? {
    guard count > 0 else { return nil }
    var left = Int((fraction * Double(count)).rounded(.up))
    for (bucket, found) in counts.enumerated() {
      left -= found
      if left <= 0 {
        return min(exp2(Double(bucket + 1) / Self.bucketsPerDoubling) / 1e3, maximum * 1e3)
      }
    }
    return maximum * 1e3
  }

  /// In milliseconds; nil where there is none.
  var maxMilliseconds: Double? { count > 0 ? maximum * 1e3 : nil }
}

/// Counts what a server does.
final class StatisticsRecorder: Sendable {
  private struct State {
    var latencies = LatencyHistogram()
    var refusedCount = 0
  }

  private let state = Mutex(State())
  private let start = ContinuousClock.now

  func answered(within duration: Duration) {
    state.withLock { $0.latencies.add(duration / .seconds(1)) }
  }

  func refused() { state.withLock { $0.refusedCount += 1 } }

  /// All but what others count: decisions, sessions, connections.
  var statistics: ServingStatistics {
    state.withLock { state in
      var statistics = ServingStatistics()
      statistics.requests = state.latencies.count
      statistics.refusedRequests = state.refusedCount
      statistics.p50Milliseconds = state.latencies.milliseconds(0.5)
      statistics.p99Milliseconds = state.latencies.milliseconds(0.99)
      statistics.maxMilliseconds = state.latencies.maxMilliseconds
      statistics.uptimeSeconds = (ContinuousClock.now - start) / .seconds(1)
      return statistics
    }
  }
}
