import CaptionedMedia
import Foundation
import Media
import TestSupport

/// The files beside the script that made them, Tests/Goldens/CaptionedMedia/make_goldens.py.
enum Goldens {
  static let folder = URL(filePath: Repository.golden("CaptionedMedia"))
  /// A few synthetic layers.
  static var dolls: String { folder.appendingPathComponent("dolls").path }

  /// The real layers; nil, and a line of output, if they are not beside the repository.
  static var realDolls: String? { Repository.sharedData("dolls") }

  /// The folders of layers at hand.
  static var dollFolders: [String] { [dolls] + (realDolls.map { [$0] } ?? []) }

  /// A doll composed by Pillow.
  struct Composition: Decodable {
    var files: [String: String]
    var background: [UInt8]
    var caption: String
    /// Base64 in the file.
    var samples: Data

    func doll(in catalog: DollCatalog) -> Doll {
      Doll(catalog.items.filter { files[$0.slot.rawValue] == $0.file })
    }
  }

  static func compositions() throws -> [Composition] {
    try JSONDecoder().decode(
      [Composition].self, from: Data(contentsOf: folder.appendingPathComponent("dolls.json")))
  }
}
