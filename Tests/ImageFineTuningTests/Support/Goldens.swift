import Files
import TestSupport

/// What `Tests/Goldens` holds for these tests.
enum Goldens {
  static func path(_ name: String) -> String { Repository.golden(name) }

  /// What `make_goldens.py` wrote.
  static func file() throws -> SafetensorsFile {
    try SafetensorsFile(path: path("ImageFineTuning/goldens.safetensors"))
  }
}
