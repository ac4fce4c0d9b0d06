import Foundation
import TestSupport
import Testing

@testable import Files

@Suite struct JSONValueTests {
  private func read(_ text: String) throws -> JSONValue {
    let folder = try TemporaryFolder()
    let path = try folder.write(Array(text.utf8), to: "value.json")
    defer { withExtendedLifetime(folder) {} }
    return try JSONValue(path: path)
  }

  @Test func valuesAreReadAndWritten() throws {
    let value: JSONValue = [
      "a": [1, -2.5, 1e-05, true, nil], "b": ["x\n\"é": [], "y": "😀"], "empty": [:],
    ]
    let text = """
      {"b": {"y": "\\ud83d\\ude00", "x\\n\\"\\u00e9": []}, "a": [1, -2.5, 1e-05, true, null],
       "empty": {}}
      """
    #expect(try read(text) == value)
    #expect(try read(value.text) == value)
    #expect(value.text.hasPrefix("{\n  \"a\": [\n    1,\n    -2.5,\n    1e-05,\n    true,"))
  }

  /// Python's json module writes these.
  @Test func infinityIsRead() throws {
    #expect(try read("[-Infinity, Infinity]") == [.number(-.infinity), .number(.infinity)])
    #expect(try read(JSONValue.number(-.infinity).text) == .number(-.infinity))
    guard case .array(let values) = try read("[NaN]"), case .number(let number) = values[0] else {
      Issue.record("not a number")
      return
    }
    #expect(number.isNaN)
  }

  @Test func damageIsRefused() throws {
    let deep = String(repeating: "[", count: 1_000) + String(repeating: "]", count: 1_000)
    for text in ["", "{", "[1,]", "{\"a\" 1}", "nul", "01x", "1 2", "[+1]", "\"a", deep] {
      #expect(throws: FileError.self, "\(text.prefix(20))") { try read(text) }
    }
  }
}
