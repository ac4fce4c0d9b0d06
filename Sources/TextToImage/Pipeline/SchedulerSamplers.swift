import Diffusion
import Files
import GenerativeModels

extension SchedulerConfiguration {
  /// A sampler for the model.
  ///
  /// - Parameters:
  ///   - kind: the file's own if nil.
  ///   - stepCount: the number of denoising steps.
  ///   - eta: how much of DDPM's noise DDIM draws.
  ///   - isForLatents: whether estimates are never clamped and `steps_offset` is 1 whatever the
  ///     file says: what diffusers' Stable Diffusion pipeline does.
  /// - Throws: `SamplerChoiceError` if another sampler must be chosen; `FileError` if the file asks
  ///   for something that the sampler does not do, or for more steps than it has; `GenerationError`
  ///   for an eta that the sampler has no use for.
  public func sampler(
    _ kind: SamplerKind? = nil, stepCount: Int, eta: Float = 0, isForLatents: Bool
  ) throws -> any Sampler {
    let isFlow = self.kind == .flowMatchingEuler
    let fitting = SamplerKind.allCases.filter { ($0 == .flowMatchingEuler) == isFlow }
    guard let kind = kind ?? self.kind, fitting.contains(kind) else {
      throw SamplerChoiceError(
        path: path, className: className, chosen: kind, choices: fitting)
    }
    guard eta == 0 || kind == .ddim else { throw GenerationError.eta(eta, kind) }
    var reader = try ConfigurationReader(json, path: path)
    let request = try SamplerRequest(
      kind: kind, stepCount: stepCount, eta: eta, isForLatents: isForLatents,
      configuration: self, reader: &reader)
    return try request.sampler(&reader)
  }
}

/// A model's scheduler that Attune lacks, or that does not go with the sampler asked for: another
/// must be chosen.
public struct SamplerChoiceError: Error, Sendable, CustomStringConvertible {
  /// The scheduler's file.
  public let path: String
  /// The class that the model folder names.
  public let className: String
  /// The sampler asked for; nil for the model's own.
  public let chosen: SamplerKind?
  /// Those that the model can be sampled with.
  public let choices: [SamplerKind]
  /// The option or setting by which one is chosen, such as `--sampler`; nil where nobody has said.
  public var option: String?

  /// What was found, and how to choose.
  public var description: String {
    let problem =
      chosen.map { "whose models the sampler \($0.rawValue) cannot sample" }
      ?? "which Attune does not have"
    return
      "\(path.printable): the model's scheduler is '\(className.printable)', \(problem); choose "
      + "a sampler\(option.map { " with \($0)" } ?? ""): "
      + choices.map(\.rawValue).joined(separator: ", ")
  }
}
