/// The only classes and functions that a pickle may name. None of them is called: each stands for a
/// few lines of `PickleReductions`.
enum PickleGlobal: Sendable {
  case orderedDictionary
  case rebuildTensor
  case rebuildParameter
  case storage(ElementType)
  case size
  case device
  case elementType(String)
  case encode
  case numPyScalar
  case numPyReconstruct
  case numPyArray
  case numPyType

  /// Nil for anything else.
  init?(module: String, name: String) {
    switch (module, name) {
    case ("collections", "OrderedDict"): self = .orderedDictionary
    case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
    case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
    case ("torch", "Size"): self = .size
    case ("torch", "device"): self = .device
    case ("torch", _):
      if let type = PickleGlobal.storages[name] {
        self = .storage(type)
      } else if PickleGlobal.elementTypes.contains(name) {
        self = .elementType(name)
      } else {
        return nil
      }
    case ("_codecs", "encode"): self = .encode
    case ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"):
      self = .numPyScalar
    case ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"):
      self = .numPyReconstruct
    case ("numpy", "ndarray"): self = .numPyArray
    case ("numpy", "dtype"): self = .numPyType
    default: return nil
    }
  }

  private static let storages: [String: ElementType] = [
    "DoubleStorage": .float64, "FloatStorage": .float32, "HalfStorage": .float16,
    "BFloat16Storage": .bfloat16, "LongStorage": .int64, "IntStorage": .int32,
    "ShortStorage": .int16, "CharStorage": .int8, "ByteStorage": .uint8, "BoolStorage": .bool,
  ]

  private static let elementTypes: Set<String> = [
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
  ]

  /// The name for errors.
  var name: String {
    switch self {
    case .orderedDictionary: "collections.OrderedDict"
    case .rebuildTensor: "torch._utils._rebuild_tensor_v2"
    case .rebuildParameter: "torch._utils._rebuild_parameter"
    case .storage(let type): "torch storage of \(type.rawValue)"
    case .size: "torch.Size"
    case .device: "torch.device"
    case .elementType(let name): "torch.\(name)"
    case .encode: "_codecs.encode"
    case .numPyScalar: "numpy scalar"
    case .numPyReconstruct: "numpy array"
    case .numPyArray: "numpy.ndarray"
    case .numPyType: "numpy.dtype"
    }
  }
}
