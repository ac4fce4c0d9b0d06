import Files
import Tensors
import Testing

@testable import TextToImage

/// The cases of `make_networks.py` and their results.
struct NetworkGoldens {
  let cases: [String: JSONValue]
  private let kind: String
  private let file: SafetensorsFile

  init(_ kind: String) throws {
    let root = try JSONValue(path: Goldens.path("networks.json"))
    cases = try #require(root[kind]?.members)
    self.kind = kind
    file = try SafetensorsFile(path: Goldens.path("networks.safetensors"))
  }

  func result(_ name: String) throws -> Tensor { try file.tensor(named: "\(kind)/\(name)") }

  func has(_ name: String) -> Bool { file.names.contains("\(kind)/\(name)") }
}

extension JSONValue {
  var members: [String: JSONValue]? {
    if case .object(let members) = self { members } else { nil }
  }

  subscript(key: String) -> JSONValue? { members?[key] }

  var numbers: [Float] {
    switch self {
    case .number(let number): [Float(number)]
    case .array(let values): values.flatMap(\.numbers)
    default: []
    }
  }

  var integer: Int { numbers.first.map { Int($0) } ?? 0 }
}

extension TorchRandom {
  /// `torch.randn(count, channels, height, width)`, channels last.
  mutating func image(_ count: Int, _ channels: Int, _ height: Int, _ width: Int) -> Tensor {
    normal([count, channels, height, width]).transposed([0, 2, 3, 1])
  }
}
