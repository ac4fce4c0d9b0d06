import ArgumentParser
import CaptionedMedia
import Rewards

/// `--sprites --look --motion`
struct SpriteMetricOptions: ParsableArguments {
  @Option(
    help: "The folder of sprite sheets, for the exact comparison with what they paint.",
    completion: .directory)
  var sprites: String?

  @Option(
    help: "The folder of a classifier of looks, which sees single frames.", completion: .directory)
  var look: String?

  @Option(
    help: "The folder of a classifier of motion, which sees whole clips.", completion: .directory)
  var motion: String?

  func validate() throws {
    if sprites == nil, look != nil || motion != nil {
      throw ValidationError("--look and --motion need --sprites DIR beside them")
    }
  }

  /// The sheets and the metrics; nil without `--sprites`.
  func open(frameCount: Int) throws -> (SpriteComposer, SpriteMetrics)? {
    guard let sprites else { return nil }
    let composer = try SpriteComposer(folder: sprites, frameCount: frameCount)
    let metrics = SpriteMetrics(
      composer: composer, look: try look.map { try AttributeClassifier(folder: $0) },
      motion: try motion.map { try AttributeClassifier(folder: $0) })
    return (composer, metrics)
  }
}
