import TestSupport
import Testing

@testable import Files

/// Each specific lie that a safetensors file can tell.
struct HostileSafetensorsTests {
  /// Opens a file of this header and so many bytes of data.
  private func open(
    _ json: String, dataByteCount: Int = 8, headerByteCount: UInt64? = nil
  ) throws -> SafetensorsFile {
    let folder = try TemporaryFolder()
    let header = Array(json.utf8)
    let bytes =
      little(headerByteCount ?? UInt64(header.count)) + header
      + [UInt8](repeating: 1, count: dataByteCount)
    return try SafetensorsFile(path: try folder.write(bytes, to: "x.safetensors"))
  }

  private func entry(_ dtype: String, _ shape: String, _ begin: String, _ end: String) -> String {
    "{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":[\(begin),\(end)]}"
  }

  @Test func aValidFileIsRead() throws {
    let file = try open("{\"a\":\(entry("F32", "[2]", "0", "8"))}  ")
    #expect(file.names == ["a"])
    #expect(try file.storedTensor(named: "a").shape == [2])
    let reordered = "{\"a\":{\"x\":[{}],\"data_offsets\":[0,8],\"shape\":[],\"dtype\":\"F64\"}}"
    #expect(try open(reordered).names == ["a"])
  }

  @Test(arguments: [
    ("not JSON", "x"), ("an array", "[]"), ("nothing", ""), ("an open object", "{"),
    ("space before the brace", " {}"), ("something after the object", "{} {}"),
    ("a number for a tensor", "{\"a\":1}"), ("no shape", "{\"a\":{\"dtype\":\"F32\"}}"),
    ("a trailing comma", "{\"__metadata__\":{\"a\":\"b\"},}"),
    ("metadata that is not text", "{\"__metadata__\":{\"a\":1}}"),
    ("a text that does not end", "{\"a"), ("half a surrogate pair", "{\"\\ud800\":1}"),
    ("a control character", "{\"a\n\":1}"), ("an unknown escape", "{\"\\x\":1}"),
  ])
  func headersThatAreNotOnes(what: String, json: String) {
    let error = #expect(throws: FileError.self, "\(what)") { _ = try open(json, dataByteCount: 0) }
    #expect(error?.kind == .malformed || error?.kind == .truncated, "\(what)")
  }

  @Test(arguments: [
    ("a tensor past the end", "F32", "[3]", "0", "12"),
    ("fewer bytes than the shape", "F32", "[3]", "0", "8"),
    ("more bytes than the shape", "F32", "[1]", "0", "8"),
    ("the end before the beginning", "U8", "[0]", "8", "0"),
    ("a hole in front", "F32", "[1]", "4", "8"),
    ("bytes that belong to no tensor", "F32", "[1]", "0", "4"),
    ("a negative size", "U8", "[-1]", "0", "8"),
    ("a negative offset", "U8", "[8]", "-8", "0"),
    ("a product that overflows", "U8", "[4294967296,4294967296,8]", "0", "8"),
    ("a product that overflows to eight", "U8", "[9223372036854775809,8]", "0", "8"),
    ("bytes that overflow", "F64", "[2305843009213693952]", "0", "8"),
    ("a size beyond 64 bits", "U8", "[99999999999999999999]", "0", "8"),
    ("an offset beyond 64 bits", "U8", "[8]", "0", "18446744073709551616"),
    ("an empty shape that overflows", "U8", "[0,9223372036854775807,4]", "0", "0"),
    ("a fraction", "U8", "[8.0]", "0", "8"), ("an exponent", "U8", "[8e0]", "0", "8"),
    ("a leading zero", "U8", "[08]", "0", "8"),
    (
      "too many dimensions", "U8", "[\((0..<65).map { _ in "1" }.joined(separator: ",")),8]", "0",
      "8"
    ),
    ("three offsets", "U8", "[8]", "0,4", "8"),
  ])
  func entriesThatLie(what: String, dtype: String, shape: String, begin: String, end: String) {
    let error = #expect(throws: FileError.self, "\(what)") {
      _ = try open("{\"a\":\(entry(dtype, shape, begin, end))}")
    }
    #expect(error?.kind != .system, "\(what)")
  }

  @Test func overlappingTensorsAreRefused() {
    let error = #expect(throws: FileError.self) {
      _ = try open(
        "{\"a\":\(entry("U8", "[6]", "0", "6")),\"b\":\(entry("U8", "[4]", "4", "8"))}")
    }
    #expect(error?.problem.contains("overlaps") == true)
    #expect(error?.item == "b")
  }

  @Test func equalTensorsAreRefused() {
    let same = entry("U8", "[8]", "0", "8")
    #expect(throws: FileError.self) { _ = try open("{\"a\":\(same),\"b\":\(same)}") }
    #expect(throws: FileError.self) { _ = try open("{\"a\":\(same),\"a\":\(same)}") }
  }

  @Test func unknownTypesAreNamed() {
    let error = #expect(throws: FileError.self) {
      _ = try open("{\"a\":\(entry("F8_E4M3", "[8]", "0", "8"))}")
    }
    #expect(error?.kind == .unsupported)
    #expect(error?.description.contains("F8_E4M3") == true)
    #expect(error?.item == "a")
  }

  @Test(arguments: [9, 1_000, 100_000_001, 1 << 62, UInt64.max])
  func headersLongerThanTheFile(byteCount: UInt64) {
    #expect(throws: FileError.self) { _ = try open("{}", headerByteCount: byteCount) }
  }

  @Test func deepNestingIsRefused() {
    let deep = String(repeating: "[", count: 100_000)
    let error = #expect(throws: FileError.self) { _ = try open("{\"a\":{\"x\":\(deep)") }
    #expect(error?.problem.contains("deep") == true)
  }

  /// A hostile name cannot take over the terminal.
  @Test func namesAreEscapedInErrors() {
    let name = "\\u001b[2J\\u202e" + String(repeating: "x", count: 10_000)
    let error = #expect(throws: FileError.self) {
      _ = try open("{\"\(name)\":\(entry("F32", "[1]", "4", "8"))}")
    }
    let text = error?.description ?? ""
    #expect(text.contains("\\u{1b}[2J\\u{202e}x"))
    #expect(!text.unicodeScalars.contains("\u{1B}"))
    #expect(text.count < 2_000)
  }

  @Test(arguments: ["../x.safetensors", "/etc/passwd", "", ".hidden", "a\\u0000b"])
  func anIndexLeadsNowhereElse(fileName: String) throws {
    let folder = try TemporaryFolder()
    let json = "{\"weight_map\":{\"a\":\"\(fileName)\"}}"
    let path = try folder.write(Array(json.utf8), to: "m.safetensors.index.json")
    let error = #expect(throws: FileError.self) { try ShardedTensorFile(indexPath: path) }
    #expect(error?.kind == .malformed)
  }

  @Test func anIndexMayNotPromiseWhatIsNotThere() throws {
    let folder = try TemporaryFolder()
    let shard = "model-00001-of-00002.safetensors"
    _ = try folder.write(try Goldens.bytes(shard), to: shard)
    let json = "{\"weight_map\":{\"a\":\"\(shard)\",\"c\":\"\(shard)\"}}"
    let path = try folder.write(Array(json.utf8), to: "m.safetensors.index.json")
    let error = #expect(throws: FileError.self) { try ShardedTensorFile(indexPath: path) }
    #expect(error?.kind == .missing)
    #expect(error?.item == "c")
  }
}
