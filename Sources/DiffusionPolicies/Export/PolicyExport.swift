import Diffusion
import NeuralNetworks
import ONNX
import Tensors

/// A policy as an ONNX model, for runtimes that know nothing of Attune. It acts as `policy evaluate`
/// and `policy serve` do with the same noise.
public struct PolicyExport: Sendable {
  /// What is written.
  public enum Form: String, Sendable, CaseIterable {
    /// From observations to actions: the whole chain of denoising steps, unrolled.
    case actions
    /// One run of the denoising network, for samplers of others.
    case denoisingStep
  }

  /// The graph, and what is to be known of it.
  public let model: ONNXModel
  /// The runs of the network that are in the graph; 1 for a Gaussian policy and for a single step.
  public let denoisingSteps: Int

  /// No chain is unrolled that has more steps: each is a copy of the network's operations.
  public static let denoisingStepLimit = 1000

  /// - Parameters:
  ///   - checkpoint: the policy.
  ///   - form: what is written.
  ///   - name: the graph's name, such as the file's.
  ///   - encoders: know what reads the observations.
  /// - Throws: `PolicyExportError` for what cannot be written; `ConfigurationError` or
  ///   `ParameterError` if the checkpoint's weights and configuration do not fit.
  public init(
    _ checkpoint: PolicyCheckpoint, form: Form = .actions, name: String,
    encoders: ObservationEncoderRegistry = .standard
  ) throws {
    guard checkpoint.cameras.isEmpty else {
      throw PolicyExportError.unwritable("a policy that sees images")
    }
    let policy = try checkpoint.makePolicy(encoders: encoders)
    let writer = PolicyGraphWriter(checkpoint)
    let parts: PolicyGraphWriter.Parts
    switch (policy, form) {
    case (let policy as DiffusionPolicy, .actions): parts = try writer.actions(policy)
    case (let policy as DiffusionPolicy, .denoisingStep): parts = try writer.denoisingStep(policy)
    case (let policy as GaussianPolicy, .actions): parts = try writer.actions(policy)
    case (is GaussianPolicy, .denoisingStep): throw PolicyExportError.noDenoisingSteps
    default:
      throw PolicyExportError.unwritable(
        "policies of the network '\(checkpoint.configuration.network.kind.rawValue)'")
    }
    denoisingSteps = parts.denoisingSteps
    model = ONNXModel(
      parts.graph, name: name, summary: parts.summary,
      metadata: try ExportMetadata(checkpoint, parts, form: form).texts)
  }
}
