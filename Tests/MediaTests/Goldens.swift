import Foundation
import Media
import TestSupport

/// The files beside the script that made them, Tests/Goldens/Media/make_goldens.py.
enum Goldens {
  static let folder = URL(filePath: Repository.golden("Media"))

  static func read<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws
    -> Value
  {
    try JSONDecoder().decode(type, from: Data(contentsOf: folder.appendingPathComponent(name)))
  }
}

/// An image inside a golden file.
struct GoldenImage: Decodable {
  var width: Int
  var height: Int
  var channelCount: Int
  /// Base64 in the file.
  var samples: Data

  var image: Image {
    Image(width: width, height: height, channelCount: channelCount, samples: Array(samples))
  }
}

/// A seeded generator for test images (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// Other programs that look at what Attune wrote.
enum Programs {
  /// The full path of a program, or nil where it is not installed.
  static func find(_ name: String) -> String? {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
      .map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// Runs a program and gives what it wrote on stdout; nil if it failed.
  static func output(_ path: String, _ arguments: [String]) throws -> Data? {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return process.terminationStatus == 0 ? data : nil
  }

  /// A Python that has Pillow, or nil: `ATTUNE_PYTHON` or the `python3` in the path.
  static let pythonWithPillow: String? = {
    let named = ProcessInfo.processInfo.environment["ATTUNE_PYTHON"]
    guard let python = named ?? find("python3"),
      (try? output(python, ["-c", "import PIL"])) != nil
    else { return nil }
    return python
  }()
}

func randomImage(width: Int, height: Int, channelCount: Int, seed: UInt64) -> Image {
  var generator = SeededGenerator(state: seed)
  let samples = (0..<width * height * channelCount).map { _ in
    UInt8.random(in: 0...255, using: &generator)
  }
  return Image(width: width, height: height, channelCount: channelCount, samples: samples)
}
