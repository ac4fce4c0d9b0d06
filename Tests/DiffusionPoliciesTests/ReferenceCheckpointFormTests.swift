import DiffusionPolicies
import Tensors
import TestSupport
import Testing

/// The weights of `pretrained.pt` in the other forms that checkpoints are found in.
@Suite struct ReferenceCheckpointFormTests {
  private func open(_ name: String) throws -> ReferenceCheckpoint {
    try ReferenceCheckpoint(path: Repository.golden("DiffusionPolicies/\(name).pt"))
  }

  private func weights(_ name: String, average: Bool?) throws -> [String: [Float]] {
    try open(name).weights(for: .pretrained, average: average).mapValues(\.elements)
  }

  @Test(arguments: [
    "data-parallel", "compiled", "compiled-network", "bare", "bare-network", "lightning",
    "other-keys",
  ])
  func sameWeights(_ form: String) throws {
    let expected = try weights("pretrained", average: false)
    #expect(try weights("forms/\(form)", average: false) == expected && !expected.isEmpty)
    #expect(try open("forms/\(form)").parts == [.pretrained])
    #expect(try open("forms/\(form)").network(for: .pretrained).configuration.kind == .mlp)
  }

  @Test(arguments: ["data-parallel", "average-only", "other-keys"])
  func sameAverage(_ form: String) throws {
    let expected = try weights("pretrained", average: true)
    #expect(try expected != weights("pretrained", average: false))
    for average in [true, nil] {
      #expect(try weights("forms/\(form)", average: average) == expected)
    }
    #expect(try open("forms/\(form)").parts == [.pretrained])
  }

  @Test func whatIsTakenIsSaid() throws {
    #expect(
      try open("pretrained").notes() == ["the weights are those of 'ema', not those of 'model'"])
    #expect(
      try open("pretrained").notes(average: false) == [
        "the weights are those of 'model', not those of 'ema'"
      ])
    #expect(
      try open("forms/lightning").notes() == [
        "the weights are those of 'state_dict'",
        "not read: 'optimizer_states/0/state/0' (1 tensor)",
      ])
    let fineTuned = try open("finetuned").notes()
    #expect(fineTuned[0] == "the weights are those of 'model'" && fineTuned.count == 2)
    #expect(fineTuned[1].hasPrefix("not read of 'model': network ("), "\(fineTuned)")
  }

  @Test func whatIsUnclearIsRefused() throws {
    func text(_ body: () throws -> Any) throws -> String {
      let error = #expect(throws: ReferenceCheckpointError.self) { _ = try body() }
      return "\(try #require(error))"
    }
    #expect(try text { try open("forms/ambiguous") }.contains("in 'first' and in 'second'"))
    let twice = try text { try open("forms/twice") }
    #expect(twice.contains("'model/module.network.") && twice.contains("' and 'model/network."))
    let only = try text { try open("forms/average-only").weights(for: .pretrained, average: false) }
    #expect(only.contains("a moving average only, 'ema'"))
  }
}
