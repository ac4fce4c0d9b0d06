import Files
import NeuralNetworks
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

  /// The generator of the inputs.
  static var inputs: TorchRandom { TorchRandom(seed: 11) }

  /// Draws weights as the script does: in the order of their names.
  static func drawWeights(_ module: any Module) {
    var random = TorchRandom(seed: 7)
    for (name, parameter) in module.parameters.sorted(by: { $0.name < $1.name }) {
      let shape = parameter.value.shape
      let values = random.normal(shape)
      if shape.count > 1 {
        let fanIn = shape.dropFirst().reduce(1, *)
        parameter.value = values * Float(1 / Double(fanIn).squareRoot())
      } else {
        parameter.value = values * 0.1 + (name.hasSuffix("weight") ? 1 : 0)
      }
    }
  }
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
