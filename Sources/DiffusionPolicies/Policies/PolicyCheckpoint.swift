import Configuration
import Environments
import Files
import Foundation
import NeuralNetworks
import Tensors

/// A policy in one safetensors file: weights under the names of the DPPO reference, configuration
/// and normalization in the metadata, so that nothing else is needed to act.
public struct PolicyCheckpoint: Sendable {
  /// What the policy is.
  public var configuration: PolicyConfiguration
  /// What maps observations and actions to [-1, 1].
  public var normalization: DemonstrationNormalization
  /// K': the denoising steps that were fine-tuned; 0 for a pretrained policy.
  public var fineTunedSteps: Int
  /// `network.*`, or `actor.*` and `actor_ft.*`; `critic.*` and `eta.*` where there are any.
  public var weights: [String: Tensor]
  /// The critic's network, if there is one.
  public var critic: CriticConfiguration?
  /// The noise and limits of its fine-tuning; nil before any.
  public var exploration: DiffusionPolicy.Exploration?
  /// What chooses the initial noise, in `noise.*`, if something does.
  public var noisePolicy: NoisePolicyConfiguration?
  /// The critics of executed chunks, in `q.*`, if there are some.
  public var qFunction: QFunctionConfiguration?
  /// The chunks of which the policy executes the one of the greatest Q; nil for one that is drawn alone.
  public var bestOf: Int?
  /// The file that has the policy's own weights, where files do not hold them themselves.
  public var base: BasePolicyFile?
  /// The cameras whose images it sees.
  public var cameras: [Camera]
  /// Where the policy comes from: free text by name, such as the training's seed and score.
  public var origin: [String: String]

  /// A checkpoint of these parts.
  public init(
    configuration: PolicyConfiguration, normalization: DemonstrationNormalization,
    fineTunedSteps: Int = 0, weights: [String: Tensor], critic: CriticConfiguration? = nil,
    cameras: [Camera] = [], origin: [String: String] = [:]
  ) {
    self.configuration = configuration
    self.normalization = normalization
    self.fineTunedSteps = fineTunedSteps
    self.weights = weights
    self.critic = critic
    self.cameras = cameras
    self.origin = origin
  }

  /// The precision of products that it was trained in.
  public var precision: Precision {
    get { origin["precision"].flatMap(Precision.init) ?? .highest }
    // Files of the usual precision stay as they were.
    set { origin["precision"] = newValue == .highest ? nil : newValue.rawValue }
  }

  /// What a user should know who runs it in another precision than it was trained in; nil in the
  /// same.
  public var precisionNote: String? {
    let (own, here) = (precision.rawValue, Precision.current.rawValue)
    return own == here ? nil : "was trained in precision \(own), and is run in \(here)"
  }

  /// `Do`
  public var observationSize: Int { normalization.observations.size }
  /// What its observations consist of.
  public var layout: ObservationLayout {
    ObservationLayout(
      stepCount: configuration.observationSteps, stateSize: observationSize, cameras: cameras)
  }
  /// `Da`
  public var actionSize: Int { normalization.actions.size }

  private struct Description: Codable {
    var configuration: PolicyConfiguration
    var normalization: DemonstrationNormalization
    var fineTunedSteps: Int
    var critic: CriticConfiguration?
    var exploration: DiffusionPolicy.Exploration?
    var noisePolicy: NoisePolicyConfiguration?
    var qFunction: QFunctionConfiguration?
    var bestOf: Int?
    var base: BasePolicyFile?
    /// Nil for none.
    var cameras: [Camera]?
    var origin: [String: String]
  }

  /// The key of the metadata under which everything but the weights is, as JSON.
  private static let key = "attune.policy"

  /// Whether a file's metadata describes a policy.
  static func isDescribed(in metadata: [String: String]) -> Bool { metadata[key] != nil }

  /// What files of a training hold besides the policy is under this prefix.
  public static let trainingPrefix = "training."

  /// Everything but the weights, for the metadata of a file that holds more than a policy.
  ///
  /// - Throws: `EncodingError` if a number is not finite.
  public func metadata() throws -> [String: String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let description = Description(
      configuration: configuration, normalization: normalization, fineTunedSteps: fineTunedSteps,
      critic: critic, exploration: exploration, noisePolicy: noisePolicy, qFunction: qFunction,
      bestOf: bestOf, base: base, cameras: cameras.isEmpty ? nil : cameras, origin: origin)
    return [Self.key: String(decoding: try encoder.encode(description), as: UTF8.self)]
  }

  /// Reads a policy from a file's weights and metadata.
  ///
  /// - Throws: `PolicyError.notAPolicy` if the metadata does not describe one,
  ///   `PolicyError.formerVersion` if it has settings under former names.
  public init(path: String, weights: [String: Tensor], metadata: [String: String]) throws {
    guard let json = metadata[Self.key] else {
      throw PolicyError.notAPolicy(path: path, reason: "its metadata has no '\(Self.key)'")
    }
    guard !Self.hasFormerNames(json) else { throw PolicyError.formerVersion(path: path) }
    let description: Description
    do {
      description = try JSONDecoder().decode(
        Description.self, from: try Self.withDefaults(Data(json.utf8)))
    } catch {
      throw PolicyError.notAPolicy(
        path: path,
        reason:
          "'\(Self.key)' in its metadata cannot be read\((error as? DecodingError)?.place ?? "")")
    }
    configuration = description.configuration
    normalization = description.normalization
    fineTunedSteps = description.fineTunedSteps
    critic = description.critic
    exploration = description.exploration
    noisePolicy = description.noisePolicy
    qFunction = description.qFunction
    bestOf = description.bestOf
    base = description.base
    cameras = description.cameras ?? []
    origin = description.origin
    self.weights = weights
    restoreUnusedWeights()
  }

  private mutating func restoreUnusedWeights() {
    if hasUnusedWeights, weights.under("actor").isEmpty {
      weights.merge(weights.under("actor_ft").prefixed("actor")) { first, _ in first }
    }
  }

  /// Whether settings have the names of a former version: taken for missing ones, they would stay as
  /// they are by default.
  private static func hasFormerNames(_ json: String) -> Bool {
    // What is no object at all is told where it is decoded.
    guard let text = try? JSONSerialization.jsonObject(with: Data(json.utf8)),
      let object = text as? [String: Any]
    else { return false }
    func hasFormer(_ object: [String: Any]) -> Bool {
      object.contains { key, value in
        FormerNames.present[key] != nil
          // Names there are a user's.
          || !["origin", "parameters"].contains(key)
            && (value as? [String: Any]).map(hasFormer) == true
      }
    }
    return hasFormer(object)
  }

  /// Older files do not have the settings that came later: those stay as they are by default.
  private static func withDefaults(_ json: Data) throws -> Data {
    guard var object = try JSONSerialization.jsonObject(with: json) as? [String: Any] else {
      return json
    }
    func fill(_ key: String, from defaults: some Encodable) throws {
      guard let found = object[key] as? [String: Any] else { return }
      let all = try JSONSerialization.jsonObject(with: JSONEncoder().encode(defaults))
      object[key] = merged(all as? [String: Any] ?? [:], found)
    }
    // The name alone was kept while an encoder had no settings.
    if var policy = object["configuration"] as? [String: Any],
      let kind = policy["encoder"] as? String
    {
      policy["encoder"] = ["kind": kind]
      object["configuration"] = policy
    }
    try fill("configuration", from: PolicyConfiguration())
    try fill("critic", from: CriticConfiguration())
    try fill("exploration", from: DiffusionPolicy.Exploration())
    try fill("noisePolicy", from: NoisePolicyConfiguration())
    try fill("qFunction", from: QFunctionConfiguration())
    return try JSONSerialization.data(withJSONObject: object)
  }

  private static func merged(_ defaults: [String: Any], _ found: [String: Any]) -> [String: Any] {
    defaults.merging(found) { original, new in
      guard let original = original as? [String: Any], let new = new as? [String: Any] else {
        return new
      }
      return merged(original, new)
    }
  }

  /// Reads a file.
  ///
  /// - Throws: `FileError`, or `PolicyError.notAPolicy` if it holds something else;
  ///   `PolicyError.missingBase` or `changedBase` if it holds what was learned on top of a policy
  ///   that is not where it was.
  public init(path: String) throws {
    let file = try SafetensorsFile(path: path)
    var weights: [String: Tensor] = [:]
    for name in file.names where !name.hasPrefix(Self.trainingPrefix) {
      weights[name] = try file.tensor(named: name)
    }
    try self.init(path: path, weights: weights, metadata: file.metadata)
    if let base, !weights.keys.contains(where: BasePolicyFile.holds) {
      self.weights.merge(try base.weights(for: path)) { first, _ in first }
      restoreUnusedWeights()
    }
  }

  /// Whether all K steps were fine-tuned: none runs `actor.*`, which a file need not hold then.
  private var hasUnusedWeights: Bool {
    fineTunedSteps == configuration.denoising.transitionCount
  }

  /// The same policy, to be kept in a file, without weights that no step runs.
  public var withoutUnusedWeights: PolicyCheckpoint {
    var checkpoint = self
    if hasUnusedWeights {
      checkpoint.weights = weights.filter { !$0.key.hasPrefix("actor.") }
    }
    return checkpoint
  }

  /// The policy as another fine-tuning starts from it. Where all steps were fine-tuned, it is one
  /// network, which may do without DPPO's last K' as a pretrained one.
  ///
  /// - Throws: `ConfigurationError` if only some steps were fine-tuned, and K' is to be another:
  ///   the steps between would be run by a network that has not learned them.
  func start(ofFineTuning transitionCount: Int) throws(ConfigurationError) -> PolicyCheckpoint {
    guard fineTunedSteps > 0 else { return self }
    guard hasUnusedWeights else {
      try ConfigurationError.require(
        transitionCount == fineTunedSteps, "fineTunedSteps", transitionCount,
        "\(fineTunedSteps), as the checkpoint was fine-tuned with")
      return self
    }
    var start = self
    let actors = weights.filter { $0.key.hasPrefix("actor.") || $0.key.hasPrefix("actor_ft.") }
    start.weights = weights.filter { actors[$0.key] == nil }
      .merging(weights.under("actor_ft").prefixed("network")) { first, _ in first }
    start.fineTunedSteps = 0
    return start
  }

  /// Writes a file; without the policy's own weights where the file of a `base` has them.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(to path: String) throws {
    let written = base == nil ? weights : weights.filter { !BasePolicyFile.holds($0.key) }
    try SafetensorsFile.write(
      written.mapValues { StoredTensor($0) }, metadata: try metadata(), to: path)
  }

  /// The policy, ready to act and no more.
  ///
  /// - Parameters:
  ///   - bestOf: the chunks of which the one of the greatest Q is executed, if not the checkpoint's own.
  ///   - encoders: know what reads the observations.
  /// - Throws: `PolicyError.noCritic` if there is no Q function; `ConfigurationError` or
  ///   `ParameterError` if weights and configuration do not fit.
  public func makeActingPolicy(
    bestOf chosen: Int? = nil, encoders: ObservationEncoderRegistry = .standard
  ) throws -> any ActingPolicy {
    let count = chosen ?? bestOf ?? 1
    let policy: any ActingPolicy =
      noisePolicy == nil
      ? try makePolicy(encoders: encoders)
      : try makeNoisePolicy(samplesInEvaluation: count > 1, encoders: encoders)
    guard count > 1 else { return policy }
    guard let qFunction else { throw PolicyError.noCritic }
    let shape = QFunctionShape(self)
    let critics = qFunction.makeCritics(shape, random: Self.replacedWeights)
    try critics.parameters.load(weights.under("q"))
    return BestOfPolicy(policy, critics: critics, shape: shape, count: count)
  }

  /// The policy of initial noise of a checkpoint that has one.
  ///
  /// - Parameters:
  ///   - configuration: the actor, if not the checkpoint's own.
  ///   - samplesInEvaluation: whether it draws noise when it is evaluated too.
  ///   - encoders: know what reads the observations.
  ///   - random: draws the first weights, where the checkpoint has none of such an actor.
  /// - Throws: `ConfigurationError` or `ParameterError` if weights and configuration do not fit.
  func makeNoisePolicy(
    _ configuration: NoisePolicyConfiguration? = nil, samplesInEvaluation: Bool = false,
    encoders: ObservationEncoderRegistry = .standard, random: RandomStream? = nil
  ) throws -> NoisePolicy {
    let chosen = configuration ?? noisePolicy ?? NoisePolicyConfiguration()
    let base = try makeDiffusionPolicy(encoders: encoders)
    let policy = try NoisePolicy(
      base, chosen, policy: self.configuration, layout: layout, actionSize: actionSize,
      samplesInEvaluation: samplesInEvaluation, random: random ?? Self.replacedWeights)
    if noisePolicy == chosen { try policy.actor.parameters.load(weights.under("noise")) }
    return policy
  }

  /// The policy with its likelihoods; to be fine-tuned with K' transitions if `fineTuning` says so.
  ///
  /// - Parameters:
  ///   - exploration: noise and limits, if not the checkpoint's own or, where it has none, DPPO's.
  ///   - transitionCount: K', if not the checkpoint's own.
  ///   - encoders: know what reads the observations.
  /// - Throws: `ConfigurationError` or `ParameterError` if weights and configuration do not fit;
  ///   `PolicyError.noisePolicy` for a policy of initial noise, which has none.
  public func makePolicy(
    exploration: DiffusionPolicy.Exploration? = nil,
    fineTuning transitionCount: Int? = nil,
    encoders: ObservationEncoderRegistry = .standard
  ) throws -> any LikelihoodPolicy {
    guard noisePolicy == nil else { throw PolicyError.noisePolicy(action: "exported") }
    guard let network = configuration.network.kind.densityNetwork else {
      return try makeDiffusionPolicy(
        exploration: exploration, fineTuning: transitionCount, encoders: encoders)
    }
    func make(_ network: (some DensityNetwork).Type) throws -> any LikelihoodPolicy {
      try makeDensityPolicy(network, exploration: exploration, encoders: encoders)
    }
    return try make(network)
  }

  /// The policy of a checkpoint whose network gives the density of chunks.
  ///
  /// - Parameter network: that of the checkpoint's kind.
  /// - Throws: `ConfigurationError` or `ParameterError` if weights and configuration do not fit.
  public func makeDensityPolicy<Network: DensityNetwork>(
    _ network: Network.Type, exploration: DiffusionPolicy.Exploration? = nil,
    encoders: ObservationEncoderRegistry = .standard
  ) throws -> DensityPolicy<Network> {
    let exploration = exploration ?? self.exploration ?? DiffusionPolicy.Exploration()
    let policy = try DensityPolicy<Network>(
      configuration, layout: layout, actionSize: actionSize, noiseLimit: exploration.noiseLimit,
      actionLimit: exploration.actionLimit, encoders: encoders, random: Self.replacedWeights)
    try policy.load(weights)
    return policy
  }

  /// The diffusion policy of a checkpoint that has one; see `makePolicy`.
  ///
  /// - Throws: `ConfigurationError` or `ParameterError` if weights and configuration do not fit.
  public func makeDiffusionPolicy(
    exploration: DiffusionPolicy.Exploration? = nil,
    fineTuning transitionCount: Int? = nil,
    encoders: ObservationEncoderRegistry = .standard
  ) throws -> DiffusionPolicy {
    let policy = try DiffusionPolicy(
      configuration,
      exploration: exploration ?? self.exploration ?? DiffusionPolicy.Exploration(),
      layout: layout, actionSize: actionSize,
      transitionCount: transitionCount ?? fineTunedSteps, encoders: encoders,
      random: Self.replacedWeights)
    try policy.load(weights)
    return policy
  }

  /// Draws weights that are about to be replaced by the checkpoint's.
  private static let replacedWeights = RandomStream(seed: 0)
}

extension DecodingError {
  /// Where it went wrong, to follow a sentence: ` at 'configuration.network.kind'`.
  fileprivate var place: String {
    let context: Context? =
      switch self {
      case .typeMismatch(_, let context), .valueNotFound(_, let context),
        .keyNotFound(_, let context), .dataCorrupted(let context):
        context
      @unknown default: nil
      }
    var names = context?.codingPath.map(\.stringValue) ?? []
    if case .keyNotFound(let key, _) = self { names.append(key.stringValue) }
    return names.isEmpty ? "" : " at '\(names.joined(separator: "."))'"
  }
}
