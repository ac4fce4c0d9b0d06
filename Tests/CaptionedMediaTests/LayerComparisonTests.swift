import CaptionedMedia
import Foundation
import Media
import Tensors
import Testing

@Suite struct LayerComparisonTests {
  /// How often a comparison is right about both hands and head of random dolls.
  private struct Score {
    /// Right about an item that is there, about one that is not, and about an empty slot.
    var present = Share(), other = Share(), empty = Share()

    struct Share: CustomStringConvertible {
      var right = 0, count = 0

      mutating func add(_ isRight: Bool) {
        right += isRight ? 1 : 0
        count += 1
      }

      var value: Double { Double(right) / Double(count) }
      var description: String { "\(right)/\(count)" }
    }
  }

  private func score(
    _ composer: DollComposer, noise: Float, count: Int
  ) -> Score {
    let comparison = LayerComparison(composer)
    var score = Score()
    for index in 0..<count {
      let doll = composer.doll(seed: 5, index: index)
      var random = RandomStream(seed: 5, purpose: "noise", index: index)
      let clean = composer.image(of: doll).tensor(range: .minusOneToOne)
      let image =
        noise > 0 ? clean + random.normal(clean.shape, standardDeviation: noise) : clean
      for slot in LayerComparison.slots {
        let phrases = composer.catalog.phrases(of: slot).filter { $0 != doll[slot]?.phrase }
        if let item = doll[slot] {
          let asked = PromptAttribute(slots: [AttributeSlot(slot)], phrase: item.phrase)
          score.present.add(comparison.shows(asked, in: image) == true)
        } else {
          score.empty.add(comparison.nearest(slot, in: image)?.isNearEnough == false)
        }
        guard !phrases.isEmpty else { continue }
        let asked = PromptAttribute(
          slots: [AttributeSlot(slot)], phrase: phrases[random.integer(below: phrases.count)])
        score.other.add(comparison.shows(asked, in: image) == false)
      }
    }
    return score
  }

  @Test func syntheticDollsAreToldExactly() throws {
    let composer = try DollComposer(folder: Goldens.dolls)
    let score = score(composer, noise: 0, count: 500)
    #expect(score.present.count > 500 && score.other.count > 500 && score.empty.count > 300)
    #expect(score.present.value > 0.99, "\(score)")
    #expect(score.other.value > 0.99, "\(score)")
    #expect(score.empty.value > 0.99, "\(score)")
  }

  @Test func realDollsAreToldExactly() throws {
    guard let folder = Goldens.realDolls else { return }
    let composer = try DollComposer(folder: folder)
    for noise: Float in [0, 0.1, 0.2, 0.3, 0.4] {
      let score = score(composer, noise: noise, count: 2_000)
      print(
        "layer comparison, noise \(noise): right when shown \(score.present), another asked "
          + "\(score.other), nothing there \(score.empty)")
      if noise <= 0.1 {
        #expect(score.present.value > 0.99)
        #expect(score.other.value > 0.99)
        #expect(score.empty.value > 0.99)
      }
    }
  }

  @Test func nothingAndNonsenseShowNothing() throws {
    let composer = try DollComposer(folder: Goldens.dolls)
    let comparison = LayerComparison(composer)
    let background = Image(width: 32, height: 32, filledWith: composer.background)
    var random = RandomStream(seed: 1)
    for image in [
      background.tensor(range: .minusOneToOne), Tensor(repeating: .nan, shape: [32, 32, 3]),
      random.normal([32, 32, 3]),
    ] {
      for slot in LayerComparison.slots {
        #expect(comparison.nearest(slot, in: image)?.isNearEnough == false)
      }
    }
    let robe = PromptAttribute(slots: [.body], phrase: "blue robe")
    #expect(comparison.shows(robe, in: background.tensor(range: .minusOneToOne)) == nil)
  }

  /// A dagger of unknown hand is shown in either.
  @Test func openSlotsAreSearched() throws {
    let composer = try DollComposer(folder: Goldens.dolls)
    let comparison = LayerComparison(composer)
    let asked = PromptAttributes(parsing: "a dagger", catalog: composer.catalog).attributes[0]
    for (slot, isShown) in [(DollSlot.hand1, true), (.hand2, true), (.head, false)] {
      let item = try #require(
        composer.catalog.items(of: slot).first { isShown ? $0.phrase == "dagger" : true })
      let image = composer.image(of: Doll([item])).tensor(range: .minusOneToOne)
      #expect(comparison.shows(asked, in: image) == isShown)
    }
  }
}
