/// A policy that cannot be written to ONNX.
public enum PolicyExportError: Error, Equatable, CustomStringConvertible {
  /// Nothing says how a part of it is written.
  case unwritable(String)
  /// A file of single steps was asked of a policy that has none.
  case noDenoisingSteps
  /// A file of single steps has no encoder, which this policy needs.
  case learnedEncoder(String)
  /// The unrolled chain would be too long.
  case tooManySteps(Int, limit: Int)

  /// What cannot be written, and what to do.
  public var description: String {
    switch self {
    case .unwritable(let part):
      """
      cannot write \(part) to ONNX: serve the policy with 'attune policy serve', or add an extension \
      of it in Sources/DiffusionPolicies/Export
      """
    case .noDenoisingSteps:
      "a Gaussian policy has no denoising steps: leave out --step-by-step"
    case .learnedEncoder(let name):
      """
      the encoder '\(name)' has weights, and a file of single steps holds the denoising network \
      alone: leave out --step-by-step
      """
    case .tooManySteps(let count, let limit):
      """
      a chain of \(count) denoising steps would be unrolled, expected \(limit) at most: use \
      --step-by-step, or a policy with DDIM
      """
    }
  }
}
