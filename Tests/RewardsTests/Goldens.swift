import CaptionedMedia
import Files
import Foundation
import Media
import Tensors
import TestSupport

/// What `Tests/Goldens/Rewards/make_clip.py` made, and the synthetic dolls.
enum Goldens {
  static let folder = Repository.golden("Rewards")

  static func composer() throws -> DollComposer {
    try DollComposer(folder: Repository.golden("CaptionedMedia/dolls"))
  }

  /// Painted dolls with their captions.
  static func images(_ count: Int, seed: UInt64 = 5) throws -> (images: [Image], texts: [String]) {
    let composer = try composer()
    let dolls = (0..<count).map { composer.doll(seed: seed, index: $0) }
    return (dolls.map(composer.image), dolls.map { $0.caption() })
  }
}

extension TemporaryFolder {
  /// Writes a shell script and gives its path.
  func script(_ text: String, _ name: String = "score.sh") throws -> String {
    try write(text, to: name)
  }
}

extension JSONValue {
  var members: [String: JSONValue] {
    if case .object(let members) = self { members } else { [:] }
  }

  var values: [JSONValue] {
    if case .array(let values) = self { values } else { [] }
  }

  var integer: Int {
    if case .number(let number) = self { Int(number) } else { 0 }
  }
}
