import ReinforcementLearning
import Rewards
import Runs

/// What `attune image evaluate` prints of prompts that were given.
struct PromptReports: Encodable {
  /// Pictures of each.
  let count: Int
  let prompts: [PromptReport]

  /// A line for each prompt.
  var table: String {
    alignedColumns([["all items", "top layers exactly", ""]] + prompts.map(\.row))
  }
}

/// How often a model draws what one prompt asks for.
struct PromptReport: Encodable {
  let prompt: String
  /// The share of the items asked for that are as asked for, a mean over pictures.
  let attributeAccuracy: ScoreEstimate?
  /// The share of pictures in which all are.
  let allAttributes: ScoreEstimate?
  /// Pictures whose items of the top layers are the layers asked for.
  let layersRight: ScoreEstimate?

  init(_ prompt: String, _ accuracy: PromptAccuracy) {
    self.prompt = prompt
    attributeAccuracy = ScoreEstimate(accuracy.shares)
    allAttributes = ScoreEstimate(accuracy.wholePictures)
    layersRight = ScoreEstimate(accuracy.layers)
  }

  /// The cells of its line.
  var row: [String] {
    [allAttributes, layersRight].map(\.percent) + [prompt.printable]
  }
}

extension ScoreEstimate? {
  /// A share with its standard error, in percent.
  var percent: String {
    guard let self else { return "-" }
    return "\((self.mean * 100).short)% +- \((self.standardError * 100).short)"
  }
}
