import CaptionedImages
import Files
import Foundation
import Media
import Tensors
import TestSupport

/// What `Tests/Goldens/Rewards/make_clip.py` made, and the synthetic dolls.
enum Goldens {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Goldens").path
  static let folder = "\(root)/Rewards"

  static func composer() throws -> DollComposer {
    try DollComposer(folder: "\(root)/CaptionedImages/dolls")
  }

  /// Painted dolls with their captions.
  static func pictures(_ count: Int, seed: UInt64 = 5) throws -> (images: [Image], texts: [String])
  {
    let composer = try composer()
    let dolls = (0..<count).map { composer.doll(seed: seed, index: $0) }
    return (dolls.map(composer.image), dolls.map { $0.caption() })
  }
}

extension TemporaryFolder {
  /// Writes a shell script and gives its path.
  func script(_ text: String, _ name: String = "judge.sh") throws -> String {
    try write(text, to: name)
  }
}

/// The greatest difference; NaN if any element is, infinite if the shapes differ.
func greatestDifference(_ actual: Tensor, _ expected: Tensor) -> Float {
  guard actual.shape == expected.shape else { return .infinity }
  var greatest: Float = 0
  for (a, e) in zip(actual.elements, expected.elements) {
    let difference = abs(a - e)
    greatest = difference.isNaN || greatest.isNaN ? .nan : max(greatest, difference)
  }
  return greatest
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
