import Glibc
import Synchronization

/// Ctrl-C, SIGTERM and SIGUSR1: the first asks a run to finish its iteration, the second ends it at once.
public enum Interruption {
  private static let count = Atomic<Int>(0)
  /// SIGUSR1 is what `mpirun` hands on to its processes as it is, and what Slurm can send some time
  /// before the end.
  private static let signals = [SIGINT, SIGTERM, SIGUSR1]
  private static let isSilent = Atomic<Bool>(false)
  /// Static, so that the handler neither allocates nor formats.
  private static let message: StaticString =
    "\nfinishing the iteration; press Ctrl-C again to stop at once\n"

  /// Whether a signal asked the run to stop.
  public static var isRequested: Bool { count.load(ordering: .relaxed) > 0 }

  /// Starts to listen for SIGINT, SIGTERM and SIGUSR1.
  ///
  /// - Parameter isSilent: whether nothing is said of the first one, where there is no iteration to
  ///   finish.
  public static func install(isSilent: Bool = false) {
    self.isSilent.store(isSilent, ordering: .relaxed)
    // Makes the static members, which a signal handler must not do.
    _ = count.load(ordering: .relaxed)
    _ = message.utf8Start
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { signal in Interruption.receive(signal) }
    // System calls go on; a handler of their own is what child programs do not inherit.
    action.sa_flags = SA_RESTART
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals {
      sigaction(signal, &action, nil)
      sigaddset(&set, signal)
    }
    // A parent's thread that blocks signals hands that on to the programs it starts.
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
  }

  /// Forgets earlier requests and lets signals end the program again.
  public static func uninstall() {
    for signal in signals { Glibc.signal(signal, SIG_DFL) }
    count.store(0, ordering: .relaxed)
  }

  /// Only what is safe in a signal handler: an atomic, `write` and `_exit`.
  private static func receive(_ signal: Int32) {
    guard count.add(1, ordering: .relaxed).oldValue == 0 else { _exit(128 + signal) }
    guard !isSilent.load(ordering: .relaxed) else { return }
    let saved = errno
    _ = write(STDERR_FILENO, message.utf8Start, message.utf8CodeUnitCount)
    errno = saved
  }
}
