import ArgumentParser
import Tensors

/// `--threads`
struct ThreadOptions: ParsableArguments {
  @Option(
    help: """
      Threads to use; as many as there are processors that this process may use, by its affinity \
      and its container's quota, unless given. Results do not depend on it.
      """)
  var threads: Int?

  func validate() throws {
    if let threads { try validateRange("threads", threads, 1...1024) }
  }

  /// Lets all work of the process run on so many.
  func apply() {
    if let threads { WorkerPool.shared.threadCount = threads }
  }
}
