import Foundation
import TestSupport

/// What the scripts in `Tests/Goldens/TextToImage` made.
enum Goldens {
  static let folder = Repository.golden("TextToImage")

  static func path(_ name: String) -> String { "\(folder)/\(name)" }

  static func decode<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
    try JSONDecoder().decode(type, from: Data(contentsOf: URL(filePath: path(name))))
  }
}
