import Files
import Rewards
import Runs

extension RewardExpression {
  /// What a reward reads: its terms with the content of the files that they name, the CLIP model,
  /// and the files among a program's words, which may be mended while a run is stopped.
  ///
  /// - Throws: `FileError` if one of them cannot be read.
  func inputs(clip: String?) throws(FileError) -> [RunInput] {
    var terms: [String] = []
    var inputs: [RunInput] = []
    var number = 0
    for term in self.terms {
      let name: String
      switch term.kind {
      case .clip(let text): name = "clip\(text.map { ":'\($0)'" } ?? "")"
      case .choice(let path): name = "clip-choice:\(try Self.content(path))"
      case .attributes(let folder): name = "attributes:\(try Self.content(folder))"
      case .aesthetic(let path): name = "aesthetic:\(try Self.content(path))"
      case .size(let direction): name = direction.rawValue
      case .command(let words):
        name = "command:'\(words.joined(separator: " "))'"
        for word in words {
          number += 1
          let key = "reward.program.\(number)"
          if let input = try RunInput(key: key, contentsOf: word, mayChange: true) {
            inputs.append(input)
          }
        }
      }
      terms.append(term.weight == 1 ? name : "\(term.weight)*\(name)")
    }
    inputs.append(
      RunInput(key: "reward", path: "reward", fingerprint: terms.joined(separator: " + ")))
    if needsCLIP, let clip, let input = try RunInput(key: "clip", contentsOf: clip) {
      inputs.append(input)
    }
    return inputs
  }

  private static func content(_ path: String) throws(FileError) -> String {
    try ContentFingerprint.of(path) ?? path
  }
}
