import Training
import Files
import Foundation
import Media

/// A folder of PNG files with their prompts in `metadata.jsonl`, as Hugging Face's image folders
/// have it; training can read it.
struct SampleFolder {
  let path: String

  /// Makes the folder, unless it is there.
  func create() throws {
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true)
    } catch {
      throw ImageCommandError(
        description: "\(path.printable) cannot be made a folder: \(error.localizedDescription)")
    }
  }

  private struct Row: Encodable {
    let fileName: String
    let text: String
    let seed: UInt64

    enum CodingKeys: String, CodingKey {
      case fileName = "file_name"
      case text, seed
    }
  }

  /// Writes the pictures of a request.
  func write(_ pictures: [Image], of request: SampleRequest) throws {
    let (prompts, seeds) = (request.imagePrompts, request.imageSeeds)
    var lines = ""
    for (index, picture) in pictures.enumerated() {
      let digits = String(index)
      let name = String(repeating: "0", count: max(0, 5 - digits.count)) + digits + ".png"
      try picture.writePNG(to: "\(path)/\(name)")
      let row = Row(fileName: name, text: prompts[index], seed: seeds[index])
      lines += try row.jsonLine + "\n"
    }
    try AtomicFile.write(lines, to: "\(path)/metadata.jsonl")
  }
}
