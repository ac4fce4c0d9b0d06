import Files
import Foundation

/// What `inspect --json` prints.
struct InspectReport: Encodable {
  struct File: Encodable {
    let path: String
    let kind: String
    let tensors: [Tensor]
  }

  struct Tensor: Encodable {
    let name: String
    let type: String
    let shape: [Int]
  }

  let files: [File]

  init(_ summaries: [FileSummary]) {
    files = summaries.map { summary in
      File(
        path: summary.path, kind: summary.kind.rawValue,
        tensors: summary.tensors.map { Tensor(name: $0.name, type: $0.type, shape: $0.shape) })
    }
  }
}
