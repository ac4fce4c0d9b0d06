#if THREAD_SANITIZER
  import Tensors

  /// In place of `Synchronization.Mutex`, which the thread sanitizer does not see.
  typealias Mutex = SanitizedMutex
#endif
