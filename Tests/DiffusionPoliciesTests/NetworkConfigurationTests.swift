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
    #expect(try #require(JSONSerialization.jsonObject(with: data) as? [String: Any]).count == 19)
  }

  @Test mutating func refusals() throws {
    try expectRefusal(of: "hiddenSizes") { $0.hiddenSizes = [64, 64] }
    try expectRefusal(of: "hiddenSizes") { $0.hiddenSizes = [] }
    try expectRefusal(of: "timeEmbeddingSize") { $0.timeEmbeddingSize = 7 }
    try expectRefusal(of: "kind") { $0.kind = .gaussian }
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
}
