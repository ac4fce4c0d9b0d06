import Configuration
import DiffusionPolicies
import Foundation
import NeuralNetworks
import Tensors
import Testing

/// Configurations survive JSON, and wrong ones say what to change.
@Suite struct NetworkConfigurationTests {
  private var random = RandomStream(seed: 4)

  @Test func codable() throws {
    var configuration = NetworkConfiguration()
    configuration.kind = .unet
    configuration.multipliers = [1, 2]
    configuration.activation = .mish
    let data = try JSONEncoder().encode(configuration)
    #expect(try JSONDecoder().decode(NetworkConfiguration.self, from: data) == configuration)
    let text = try #require(String(data: data, encoding: .utf8))
    #expect(text.contains(#""kind":"unet""#) && text.contains(#""activation":"mish""#))
    // Every field is written, so that a reader can lay a preset's fields over the defaults.
    #expect(try #require(JSONSerialization.jsonObject(with: data) as? [String: Any]).count == 20)
  }

  @Test mutating func refusals() throws {
    try expectRefusal(of: "hiddenSizes") { $0.hiddenSizes = [64, 64] }
    try expectRefusal(of: "hiddenSizes") { $0.hiddenSizes = [] }
    try expectRefusal(of: "timeEmbeddingSize") { $0.timeEmbeddingSize = 7 }
    try expectRefusal(of: "kind") { $0.kind = .gaussian }
    try expectRefusal(of: "kind") { $0.kind = .gmm }
    try expectRefusal(of: "modes") {
      $0.kind = .gmm
      $0.modes = 0
    }
    for kind in [NetworkConfiguration.Kind.gaussian, .gmm] {
      try expectRefusal(of: "minStd") {
        $0.kind = kind
        $0.minStd = 1
      }
      try expectRefusal(of: "hiddenSizes") {
        $0.kind = kind
        $0.hiddenSizes = [64, 64]
      }
      try expectRefusal(of: "observationSizes") {
        $0.kind = kind
        $0.observationSizes = [0]
      }
    }
    // A Gaussian's two heads leave an odd number of layers; a mixture's three networks do not.
    try expectRefusal(of: "hiddenSizes") {
      $0.kind = .gaussian
      $0.stdKind = .predicted
    }
    try expectRefusal(of: "kind") {
      $0.kind = .gmm
      $0.stdKind = .predicted
    }
    try expectRefusal(of: "multipliers") {
      $0.kind = .unet
      $0.multipliers = [1, 2, 4, 8]
    }
    try expectRefusal(of: "groupCount") {
      $0.kind = .unet
      $0.groupCount = 5
    }
  }

  private mutating func expectRefusal(
    of field: String, _ change: (inout NetworkConfiguration) -> Void
  ) throws {
    var configuration = NetworkConfiguration()
    change(&configuration)
    let error = #expect(throws: ConfigurationError.self) {
      try configuration.makeDenoiser(
        actionSize: 2, horizonSteps: 4, conditionSize: 3,
        random: &random)
    }
    #expect(error?.key == field)
  }

  /// A network of another kind than the configuration's is refused with both.
  @Test mutating func otherKindsAreRefused() throws {
    var configuration = NetworkConfiguration()
    configuration.kind = .gaussian
    let error = #expect(throws: ConfigurationError.self) {
      try configuration.makeDensityNetwork(
        GaussianMixtureMLP.self, actionSize: 2, horizonSteps: 4, conditionSize: 3, random: &random)
    }
    #expect(
      error
        == .badValue(key: "kind", found: "gaussian", expected: "gmm for a GaussianMixtureMLP"))
  }
}
