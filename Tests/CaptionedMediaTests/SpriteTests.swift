import CaptionedMedia
import Configuration
import Files
import Foundation
import Media
import Tensors
import TestSupport
import Testing

/// Characters of sprite sheets: what is painted, said and held out.
@Suite struct SpriteTests {
  private static let folder = Repository.golden("CaptionedMedia/sprites")

  private func sampler(
    _ change: (inout SpriteDistribution) -> Void = { _ in }
  ) throws -> SpriteSampler {
    var distribution = SpriteDistribution()
    // The sheets of the goldens have 4 actions, 2 phrases of hair, 2 bodies and 3 of topwear.
    (distribution.heldOutActionCount, distribution.heldOutTopwearCount) = (3, 2)
    change(&distribution)
    return try SpriteSampler(SpriteComposer(folder: Self.folder), distribution: distribution)
  }

  /// A clip composed by Pillow, `make_sprites.py`.
  private struct Composition: Decodable {
    var row: Int
    var files: [String: String]
    /// Base64 in the file.
    var samples: Data
  }

  @Test func clipsAreThoseOfPillow() throws {
    let clips = try JSONDecoder().decode(
      [Composition].self,
      from: Data(contentsOf: URL(filePath: Repository.golden("CaptionedMedia/sprites.json"))))
    let composer = try SpriteComposer(folder: Self.folder)
    #expect(clips.count == 4)
    for clip in clips {
      let sprite = Sprite(
        composer.catalog.items.filter { clip.files[$0.slot.rawValue] == $0.file },
        action: try #require(composer.catalog.actions.first { $0.row == clip.row }))
      let frames = composer.frames(of: sprite, width: 32, height: 32)
      #expect(frames.flatMap(\.samples) == [UInt8](clip.samples))
    }
  }

  @Test(arguments: [
    (6, [0, 1, 1, 2, 3, 4, 4, 5]), (7, [0, 1, 2, 3, 3, 4, 5, 6]), (8, [0, 1, 2, 3, 4, 5, 6, 7]),
    (13, [0, 2, 3, 5, 7, 9, 10, 12]),
  ]) func framesAreSpread(count: Int, frames: [Int]) {
    let action = SpriteAction(row: 0, frameCount: count, phrase: "slashing to the left")
    #expect(action.frames(count: 8) == frames)
    #expect(action.frames(count: 1) == [0])
  }

  @Test func aWalkIsItsCycle() {
    let action = SpriteAction(row: 0, frameCount: 9, phrase: "walking to the left")
    #expect(action.frames(count: 8) == Array(1...8))
    #expect(action.frames(count: 4) == [1, 3, 5, 7])
  }

  @Test func captionsFollowTheGrammar() throws {
    func item(_ slot: SpriteSlot, _ phrase: String) -> SpriteItem {
      SpriteItem(slot: slot, file: "0.png", phrase: phrase)
    }
    let sprite = Sprite(
      [
        item(.hair, "spiky green hair"), item(.body, "fair skinned person"),
        item(.shoes, "brown shoes"), item(.topwear, "cyan shirt"),
        item(.bottomwear, "red trousers"),
      ], action: SpriteAction(row: 9, frameCount: 9, phrase: "walking to the left"))
    #expect(
      sprite.caption(mentioning: Set(SpriteSlot.allCases), action: true)
        == "a fair skinned person with spiky green hair, wearing a cyan shirt, red trousers and "
        + "brown shoes, walking to the left")
    #expect(
      sprite.caption(mentioning: [.topwear, .shoes], action: false)
        == "a fair skinned person, wearing a cyan shirt and brown shoes")
    #expect(sprite.caption(mentioning: [], action: false) == "a fair skinned person")
    let orc = Sprite(
      [
        item(.hair, "blue hair in a ponytail"), item(.body, "orange orc"),
        item(.shoes, "grey shoes"), item(.topwear, "grey chain mail"),
        item(.bottomwear, "brown skirt"),
      ], action: sprite.action)
    #expect(
      orc.caption(mentioning: [.hair, .topwear, .bottomwear], action: false)
        == "an orange orc with blue hair in a ponytail, wearing grey chain mail and a brown skirt")
  }

  /// What is hidden is not mentioned, and what is not drawn in an action is not worn in it.
  @Test func captionsSayWhatIsSeen() throws {
    let sampler = try sampler { $0.mentionProbability = 1 }
    let source = try SpriteSource(sampler, seed: 5)
    var mailCount = 0
    var jacketCount = 0
    for index in 0..<400 {
      let sprite = source.sprite(at: index)
      let caption = source.captions(at: [index])[0]
      let hasMail = sprite[.topwear].phrase == "grey chain mail"
      mailCount += hasMail ? 1 : 0
      #expect(caption.contains(sprite[.bottomwear].phrase) == !hasMail)
      #expect(caption.contains(sprite[.hair].phrase))
      if sprite[.topwear].phrase == "cream jacket and tie" {
        jacketCount += 1
        #expect(["walking", "slashing"].contains { sprite.action.phrase.hasPrefix($0) })
      }
    }
    #expect(mailCount > 20 && jacketCount > 20)
  }

  @Test func mentionsAreAsOftenAsToldAndCommonThingsMoreOften() throws {
    let source = try SpriteSource(try sampler { $0.heldOutActionCount = 0 }, seed: 1)
    let count = 2_000
    let captions = source.captions(at: Array(0..<count))
    let sprites = (0..<count).map(source.sprite)
    func fraction(_ isTrue: (Int) -> Bool) -> Double {
      Double((0..<count).count(where: isTrue)) / Double(count)
    }
    #expect(abs(fraction { captions[$0].contains("hair") } - 0.7) < 0.04)
    #expect(abs(fraction { captions[$0].contains(sprites[$0].action.phrase) } - 0.9) < 0.03)
    // Of four, weights 1, 1/2, 1/3, 1/4: the first has 12/25 of the draws.
    let frequencies = Dictionary(grouping: sprites, by: \.action.phrase).values.map(\.count)
      .sorted()
    #expect(abs(Double(frequencies[3]) / Double(count) - 0.48) < 0.05)
    #expect(abs(Double(frequencies[0]) / Double(count) - 0.12) < 0.03)
  }

  @Test func heldOutPairsAreSpreadAndNeverShown() throws {
    let sampler = try sampler()
    let pairs = sampler.heldOutPairs
    #expect(pairs.count == 5 && Set(pairs).count == 5)
    // Three of four actions, once each; both bodies.
    #expect(Set(pairs.compactMap(\.action)).count == 3)
    #expect(Set(pairs.compactMap(\.body)).count == 2)
    for index in 0..<500 {
      let shown = sampler.sprite(seed: 2, index: index)
      #expect(!pairs.contains { $0.isPresent(in: shown) })
      let tested = sampler.sprite(seed: 2, index: index, pairs: .heldOut)
      #expect(pairs.contains { $0.isPresent(in: tested) })
    }
    // Each of the pairs is tested.
    let tested = (0..<200).map { sampler.sprite(seed: 9, index: $0, pairs: .heldOut) }
    for pair in pairs { #expect(tested.contains { pair.isPresent(in: $0) }) }
    #expect(
      (0..<200).contains { index in
        let any = sampler.sprite(seed: 9, index: index, pairs: .all)
        return pairs.contains { $0.isPresent(in: any) }
      })
  }

  /// A pair for each place of a table of every size is another one.
  @Test func asManyPairsAsAreAskedForAreDifferent() throws {
    let sampler = try sampler {
      ($0.heldOutActionCount, $0.heldOutTopwearCount) = (4, 3)
    }
    #expect(Set(sampler.heldOutPairs).count == 7)
    // Half of all pairs of 4 actions and 2 kinds of hair, and of 2 bodies and 3 coats.
    let most = try self.sampler { ($0.heldOutActionCount, $0.heldOutTopwearCount) = (99, 99) }
    #expect(most.heldOutPairs.count == 4 + 3)
    #expect(most.heldOutPairs == sampler.heldOutPairs)
  }

  @Test func aNumberGivesTheSameClipFromAnyThread() throws {
    let source = try SpriteSource(try sampler(), seed: 7, width: 16, height: 24)
    #expect(source.count == nil && source.frames == 8)
    let indices = [5, 0, 1_000_000, 5]
    let batch = source.batch(at: indices)
    #expect(batch.images.shape == [4, 8, 24, 16, 3])
    #expect(batch.captions == source.captions(at: indices))
    #expect(batch.images[0].elements == batch.images[3].elements)
    #expect(batch.images[0].elements != batch.images[1].elements)
    WorkerPool.shared.forEach(8) { _ in
      #expect(source.batch(at: indices).images.elements == batch.images.elements)
    }
    let other = try SpriteSource(try sampler(), seed: 8, width: 16, height: 24)
    #expect(other.captions(at: Array(0..<20)) != source.captions(at: Array(0..<20)))
  }

  @Test func brokenFoldersAreNamed() throws {
    let temporary = try TemporaryFolder()
    try FileManager.default.copyItem(atPath: Self.folder, toPath: temporary.file("sprites"))
    let folder = temporary.file("sprites")
    func message() -> String {
      do {
        _ = try SpriteComposer(folder: folder)
        return "none"
      } catch {
        return "\(error)"
      }
    }
    #expect(message() == "none")
    func replace(_ name: String, _ old: String, _ new: String) throws -> String {
      let path = "\(folder)/\(name)"
      let text = try String(contentsOfFile: path, encoding: .utf8)
      try text.replacing(old, with: new).write(toFile: path, atomically: true, encoding: .utf8)
      defer { try? text.write(toFile: path, atomically: true, encoding: .utf8) }
      return message()
    }
    #expect(try replace("captions.tsv", "body", "torso").contains("has no row of the layer 'body'"))
    #expect(try replace("captions.tsv", "hair\t1.png", "hair\t0.png").contains("again"))
    #expect(try replace("captions.tsv", "hair\t1.png", "hair\t9.png").contains("9.png"))
    #expect(try replace("actions.tsv", "4\t13", "4\tmany").contains("expected a row"))
    #expect(try replace("actions.tsv", "4\t13", "4\t14").contains("too small"))
    #expect(try replace("actions.tsv", "4\t13", "2\t13").contains("row 5"))
    try FileManager.default.removeItem(atPath: "\(folder)/actions.tsv")
    #expect(message().contains("actions.tsv"))
  }
}
