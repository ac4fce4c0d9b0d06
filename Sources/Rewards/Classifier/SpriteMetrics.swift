import CaptionedMedia
import Media
import Tensors

/// Looks at clips that should show characters of sprite sheets: with classifiers, and by comparison
/// with what the sheets paint.
public struct SpriteMetrics: Sendable {
  /// What is found of a clip; nil where the prompt asks for nothing of the kind, or no classifier.
  public struct Findings: Sendable, Equatable {
    /// The fraction of what the prompt asks for that the classifiers see, the action among it.
    public var attributes: Double?
    /// 1 if nothing is missing, else 0.
    public var everything: Double?
    /// 1 if the action is the one asked for.
    public var action: Double?
    /// 1 if body, hair, topwear and bottomwear look the same in all frames.
    public var steadyIdentity: Double?
    /// The same by pixels: the fraction of what the prompt asks for that the nearest painted
    /// character has; 0 if none is near.
    public var exactAttributes: Double?
    /// 1 if nothing is missing, by pixels.
    public var exactEverything: Double?
    /// 1 if the action is the one asked for, by pixels.
    public var exactAction: Double?
    /// How much the clip moves, where 1 is as much as the nearest painted character.
    public var motionRatio: Double?

    /// Nothing found yet.
    public init() {}

    /// Names and numbers, in camel case.
    public var numbers: [(name: String, value: Double?)] {
      [
        ("attributes", attributes), ("everything", everything), ("action", action),
        ("steadyIdentity", steadyIdentity), ("exactAttributes", exactAttributes),
        ("exactEverything", exactEverything), ("exactAction", exactAction),
        ("motionRatio", motionRatio),
      ]
    }
  }

  private let look: AttributeClassifier?
  private let motion: AttributeClassifier?
  private let composer: SpriteComposer
  private let parser: PromptParser

  /// Slots that make a character the same from frame to frame; shoes are a few pixels.
  private static let identity: [AttributeSlot] = [.body, .hair, .topwear, .bottomwear]

  /// - Parameters:
  ///   - composer: paints the characters.
  ///   - look: sees single frames; nil for none.
  ///   - motion: sees clips; nil for none.
  public init(
    composer: SpriteComposer, look: AttributeClassifier? = nil, motion: AttributeClassifier? = nil
  ) {
    self.composer = composer
    self.look = look
    self.motion = motion
    parser = PromptParser(
      phrases: composer.catalog.lookPhrases + composer.catalog.motionPhrases)
  }

  /// Looks at clips, each made for a prompt.
  public func findings(in media: [Media], prompts: [String]) -> [Findings] {
    precondition(media.count == prompts.count, "\(media.count) clips for \(prompts.count) prompts")
    let looks = look.map { $0.seen(in: media) }
    let overall = look.map { $0.seenOverall(in: media) }
    let motions = motion.map { $0.seenOverall(in: media) }
    let matches = compared(media, prompts)
    return media.indices.map { index in
      let wanted = parser.attributes(in: prompts[index]).attributes
      var findings = Findings()
      // 1. By classifiers; both are needed for all that a prompt asks for.
      if let overall, let motions {
        let seen = overall[index].phrases.merging(motions[index].phrases) { first, _ in first }
        (findings.attributes, findings.everything) = Self.fractions(of: wanted, in: seen)
      }
      let action = wanted.first { $0.slots == [.action] }
      if let action, let motions {
        findings.action = action.isPresent(in: motions[index].phrases) ? 1 : 0
      }
      if let frames = looks?[index], let first = frames.first {
        let isSteady = frames.allSatisfy { frame in
          Self.identity.allSatisfy { frame.phrases[$0] == first.phrases[$0] }
        }
        findings.steadyIdentity = isSteady ? 1 : 0
      }
      // 2. By pixels.
      if let match = matches[index] {
        let seen = match.isNearEnough ? match.sprite.attributes : [:]
        (findings.exactAttributes, findings.exactEverything) = Self.fractions(of: wanted, in: seen)
        if let action { findings.exactAction = action.isPresent(in: seen) ? 1 : 0 }
        findings.motionRatio = Double(match.motionRatio)
      }
      return findings
    }
  }

  private static func fractions(
    of wanted: [PromptAttribute], in seen: [AttributeSlot: String]
  ) -> (fraction: Double?, isWhole: Double?) {
    guard !wanted.isEmpty else { return (nil, nil) }
    let count = wanted.count { $0.isPresent(in: seen) }
    return (Double(count) / Double(wanted.count), count == wanted.count ? 1 : 0)
  }

  /// The nearest painted character of each clip that has as many frames as are painted.
  private func compared(_ media: [Media], _ prompts: [String]) -> [SpriteComparison.Match?] {
    var matches = [SpriteComparison.Match?](repeating: nil, count: media.count)
    matches.withUnsafeMutableBufferPointer { matches in
      WorkerPool.shared.forEach(media.count) { index in
        let clip = media[index]
        guard clip.frames.count == composer.frameCount else { return }
        matches[index] = SpriteComparison(composer, width: clip.width, height: clip.height)
          .nearest(to: clip.frames, wanted: parser.attributes(in: prompts[index]))
      }
    }
    return matches
  }
}
