/// How exactly matrix products are computed, named as PyTorch names it
/// (`torch.set_float32_matmul_precision`).
///
/// Tensors are 32-bit floats in memory whatever it is, and so are norms, softmax, activations, losses
/// and optimizers: only what a product reads is rounded, and sums are 32-bit floats. A row of a
/// product depends on that row, the weight and the precision alone, not on batch or threads.
///
/// A precision that this processor has no instructions for is computed as `highest`.
public enum Precision: String, Codable, CaseIterable, Sendable {
  /// 32-bit floats: the same bits on every processor with AVX2.
  case highest
  /// Operands as sums of two bfloat16 numbers, of which the three larger products are computed:
  /// errors near those of 32-bit floats. Needs AMX.
  case high
  /// Operands rounded to bfloat16, which keeps 8 bits of 24. Needs AMX or AVX-512's bfloat16.
  case medium

  /// What was asked for where this is called.
  public static var current: Precision { ProductArithmetic.current.precision }
}

/// Runs `body` with its matrix products, attention and convolutions in a precision.
///
/// Loops of the worker pool inside follow it, and so do the gradients of what is recorded, wherever
/// these are computed. Other threads that `body` starts do not.
public func withPrecision<Result>(
  _ precision: Precision, _ body: () throws -> Result
) rethrows -> Result {
  try ProductArithmetic.$current.withValue(
    ProductArithmetic.current.with(precision), operation: body)
}

/// How products are computed: what was asked for, and what there is for it.
struct ProductArithmetic: Sendable, Hashable {
  /// Of this thread or task. The worker pool hands it to its threads, and a recorded operation keeps
  /// it for its gradients.
  @TaskLocal static var current = ProductArithmetic()

  var precision = Precision.highest
  var kernels = MatrixKernels.ofThisProcess

  /// What multiplies.
  var kernel: MatrixKernel { kernels[precision] }

  /// What multiplies transformed images in Winograd's convolutions. Their transforms multiply errors
  /// by about 10, which bfloat16 cannot bear; two parts of it can, and a quarter of the products is
  /// left.
  var winogradKernel: MatrixKernel { kernels[precision == .medium ? .high : precision] }

  func with(_ precision: Precision) -> ProductArithmetic {
    var result = self
    result.precision = precision
    return result
  }
}
