#if THREAD_SANITIZER
  import Glibc

  /// A lock that the thread sanitizer sees (`make test-threads`).
  ///
  /// It does not see `Synchronization.Mutex`, whose futex is not instrumented, and would report all
  /// that is done under one as a race. Unchecked sendable because the value is reached under the lock
  /// alone.
  package final class SanitizedMutex<Value>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var value: Value

    package init(_ value: Value) {
      self.value = value
      pthread_mutex_init(mutex, nil)
    }

    deinit {
      pthread_mutex_destroy(mutex)
      mutex.deallocate()
    }

    package func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
      pthread_mutex_lock(mutex)
      defer { pthread_mutex_unlock(mutex) }
      return try body(&value)
    }
  }

  typealias Mutex = SanitizedMutex
#endif
