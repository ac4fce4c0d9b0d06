import ReinforcementLearning
import Rewards
import Runs

/// What `attune image evaluate` prints of random captions.
struct ImageReport: Encodable {
  let count: Int
  let isHeldOut: Bool
  /// The share of the items asked for that are as asked for, a mean over pictures.
  let attributeAccuracy: ScoreEstimate?
  /// The share of pictures in which all are.
  let allAttributes: ScoreEstimate?
  /// Pictures whose items of the top layers are the layers asked for.
  let layersRight: ScoreEstimate?
  /// The accuracy of each slot.
  let slots: [String: ScoreEstimate]

  init(_ accuracy: PromptAccuracy, count: Int, isHeldOut: Bool) {
    self.count = count
    self.isHeldOut = isHeldOut
    attributeAccuracy = ScoreEstimate(accuracy.shares)
    allAttributes = ScoreEstimate(accuracy.wholePictures)
    layersRight = ScoreEstimate(accuracy.layers)
    slots = Dictionary(
      uniqueKeysWithValues: accuracy.bySlot.compactMap { slot, values in
        ScoreEstimate(values).map { (slot.rawValue, $0) }
      })
  }

  /// A line for each number.
  var table: String {
    let rows =
      [
        ("items as asked for", attributeAccuracy), ("pictures with all of them", allAttributes),
        ("top layers exactly", layersRight),
      ] + slots.sorted { $0.key < $1.key }.map { ("  \($0.key)", Optional($0.value)) }
    return alignedColumns(rows.map { name, estimate in [name, estimate.percent] })
  }
}
