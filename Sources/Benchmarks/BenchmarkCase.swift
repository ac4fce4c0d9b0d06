import Tensors

/// Something to time: prepared once, then given fresh random inputs before every run.
struct BenchmarkCase {
  let name: String
  /// Floating-point operations of one run, where a fraction of the matrix product's rate means
  /// something.
  var operationCount: Double?
  /// Things that one run makes, where their rate is what counts.
  var items: (count: Int, name: String)?
  /// Makes what the runs share and returns one run's preparation, which returns the run itself.
  let prepare: () -> (_ random: inout RandomStream) -> () -> Void
}

/// Keeps results alive, so that no run can be optimized away.
@inline(never)
func consume(_ tensors: Tensor?...) {
  for case let tensor? in tensors {
    precondition(tensor.withUnsafeElements { $0.first?.isNaN } != true, "a result is NaN")
  }
}
