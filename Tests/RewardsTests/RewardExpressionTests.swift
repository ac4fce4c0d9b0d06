import Testing

@testable import Rewards

/// The words for rewards.
@Suite struct RewardExpressionTests {
  /// What is compared of a term.
  private struct Term: Equatable {
    var weight: Float
    var name: String
    var argument: String?
    var words: [String] = []
  }

  @Test func termsAreRead() throws {
    let expected: [(String, [Term])] = [
      ("clip", [.init(weight: 1, name: "clip")]),
      ("clip:'a red robe'", [.init(weight: 1, name: "clip", argument: "a red robe")]),
      ("clip:a red robe", [.init(weight: 1, name: "clip", argument: "a red robe")]),
      (
        "0.7*clip+0.3*png-size",
        [
          .init(weight: 0.7, name: "clip"),
          .init(weight: 0.3, name: "incompressibility"),
        ]
      ),
      (
        " -2 * compressibility - 1e-3*aesthetic:\"a+b.pt\" + clip ",
        [
          .init(weight: -2, name: "compressibility"),
          .init(weight: -1e-3, name: "aesthetic", argument: "a+b.pt"),
          .init(weight: 1, name: "clip"),
        ]
      ),
      (
        "clip-0.5*png-size",
        [
          .init(weight: 1, name: "clip"),
          .init(weight: -0.5, name: "incompressibility"),
        ]
      ),
      (
        "command:python3 score.py --scale=2+3 'two words'",
        [
          .init(
            weight: 1, name: "command", argument: "python3 score.py --scale=2+3 'two words'",
            words: ["python3", "score.py", "--scale=2+3", "two words"])
        ]
      ),
      (
        "0.5*command:'./score \"a b\" c\\ d' + clip",
        [
          .init(
            weight: 0.5, name: "command", argument: "./score \"a b\" c\\ d",
            words: ["./score", "a b", "c d"]),
          .init(weight: 1, name: "clip"),
        ]
      ),
    ]
    for (text, terms) in expected {
      let found = try RewardExpression(text).terms.map {
        Term(weight: $0.weight, name: $0.kind.name, argument: $0.argument, words: $0.words)
      }
      #expect(found == terms, "\(text)")
    }
    #expect(try RewardExpression("clip:'x'").needsCLIP)
    #expect(try !RewardExpression("clip:'x'").needsPrompts)
    #expect(try !RewardExpression("png-size").needsCLIP)
  }

  @Test func mistakesAreNamed() throws {
    let bad = [
      ("", "nothing"), ("clop", "did you mean 'clip'?"), ("0.5 clip", "weight"),
      ("clip +", "nothing"),
      ("clip clip", "'c'"), ("1.2.3*clip", "'1.2.3'"), ("aesthetic", "head"),
      ("command", "program"),
      ("command:'score", "closing"), ("command:", "nothing after"), ("png-size:3", "takes none"),
      ("clip:a dog + 2*png-size", "quotes"), ("command:\"a 'b\"", "quotes closed"),
      ("*clip", "nothing"),
    ]
    for (text, words) in bad {
      let error = #expect(throws: RewardError.self, "\(text)") { try RewardExpression(text) }
      #expect(error?.kind == .expression)
      #expect(error?.description.contains(words) == true, "\(text): \(error?.description ?? "")")
      #expect(error?.description.contains("\n") == false)
    }
    let error = #expect(throws: RewardError.self) { try RewardExpression("clip").reward() }
    #expect(error?.description.contains("needs a model") == true)
  }

  @Test func sumsBecomeRewards() throws {
    #expect(try RewardExpression("png-size").reward() is PNGSizeReward)
    let sum = try RewardExpression("2*png-size + command:'score a'").reward()
    #expect(sum.name == "2.0*incompressibility + command:'score a'")
  }
}
