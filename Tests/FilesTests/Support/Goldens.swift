import Foundation
import TestSupport
import Testing

@testable import Files

/// The files that `generate.py` wrote, and what is in them.
enum Goldens {
  struct Expected: Decodable {
    let type: String
    let shape: [Int]
    let values: [Double]
  }

  static let folder = URL(filePath: Repository.golden("Files"))

  static func path(_ name: String) -> String { folder.appending(path: name).path }

  static func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appending(path: name)))
  }

  static func expected(
    _ name: String, in list: String = "expected.json"
  ) throws -> [String: Expected] {
    let data = try Data(contentsOf: folder.appending(path: list))
    let all = try JSONDecoder().decode([String: [String: Expected]].self, from: data)
    return try #require(all[name], "no expectations for \(name)")
  }

  /// Compares every tensor of a file with what Python wrote.
  static func compare(
    _ file: some TensorFile, with name: String, in list: String = "expected.json",
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let expected = try expected(name, in: list)
    #expect(file.names == expected.keys.sorted(), sourceLocation: sourceLocation)
    for (name, expected) in expected {
      let stored = try file.storedTensor(named: name)
      expect(stored, expected, name, sourceLocation: sourceLocation)
    }
  }

  static func expect(
    _ stored: StoredTensor, _ expected: Expected, _ name: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(stored.elementType.rawValue == expected.type, "\(name)", sourceLocation: sourceLocation)
    #expect(stored.shape == expected.shape, "\(name)", sourceLocation: sourceLocation)
    #expect(stored.doubles == expected.values, "\(name)", sourceLocation: sourceLocation)
  }
}
