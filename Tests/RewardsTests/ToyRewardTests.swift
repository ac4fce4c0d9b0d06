import Files
import Media
import Tensors
import TestSupport
import Testing

@testable import Rewards

/// A reward with a name, whole: how red images are, up to a limit that its words give.
private struct Redness: ImageReward {
  let limit: Float
  var name: String { "redness:'\(limit)'" }

  static let kind = RewardKind(
    name: "redness", argument: .text,
    make: { parts in
      guard let limit = Float(parts.argument ?? "1") else {
        throw RewardError(.expression, reward: "redness", problem: "has a limit that is no number")
      }
      return Redness(limit: limit)
    })

  func scores(images: [Image], prompts: [String]) -> [Float] {
    images.map { min(limit, $0.rgb().tensor(range: .zeroToOne)[0][0][0].scalar) }
  }
}

/// A reward that stands in this file alone is named, weighted and summed as any other, and scores
/// clips.
@Suite struct ToyRewardTests {
  private let kinds = RewardKind.all + [Redness.kind]
  private let red = Image(width: 2, height: 2, filledWith: Color(0xFF0000))

  @Test func isPartOfASum() throws {
    let sum = try RewardExpression("2*redness:'0.5' - incompressibility", kinds: kinds).reward()
    let size = PNGSizeReward(.incompressibility).scores(images: [red, red], prompts: ["", ""])
    let scores = try sum.scores(images: [red, red], prompts: ["", ""])
    #expect(sum.name == "2.0*redness:'0.5' - incompressibility")
    #expect(scores == size.map { 1 - $0 })
    let error = #expect(throws: RewardError.self) {
      try RewardExpression("rednes", kinds: kinds)
    }
    #expect(error?.description.contains("did you mean 'redness'?") == true)
    #expect(throws: RewardError.self) { try RewardExpression("redness") }
  }

  @Test func scoresClipsByTheirFrames() throws {
    let black = Image(width: 2, height: 2, filledWith: .black)
    let clip = Media.clip(Clip(frames: [red, black, black, red], frameRate: 8))
    let scores = try RewardExpression("redness", kinds: kinds).reward()
      .scores([clip, .image(red)], prompts: ["", ""])
    #expect(scores == [0.5, 1])
  }
}
