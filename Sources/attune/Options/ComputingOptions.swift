import ArgumentParser
import Runs
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

/// `--threads` and `--precision`, for commands that compute and make no run.
struct ComputingOptions: ParsableArguments {
  @OptionGroup var threads: ThreadOptions

  @Option(
    help: """
      The precision of matrix products, a choice of speed; attune --version --verbose prints what \
      this processor has for each.
      """)
  var precision = Precision.highest

  /// Computes so, and tells what a reduced precision is computed by.
  func run<Result>(isQuiet: Bool, _ body: () throws -> Result) throws -> Result {
    threads.apply()
    if precision != .highest { RunLog(isQuiet: isQuiet).info(precision.note) }
    return try withPrecision(precision, body)
  }
}

extension Precision: ExpressibleByArgument {}
