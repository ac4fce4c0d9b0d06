/// The classes and functions that a pickle may name. None of them is called: each stands for a few
/// lines of `PickleReductions`.
enum PickleGlobal: Sendable {
  case orderedDictionary
  case rebuildTensor
  /// `_rebuild_tensor_v3`, for types that have no storage class of their own.
  case rebuildTypedTensor
  case rebuildParameter
  /// `_rebuild_from_type_v2`, for tensors with attributes.
  case rebuildFromType
  case storage(ElementType)
  case untypedStorage
  case size
  case device
  case elementType(String)
  case encode
  case numPyScalar
  case numPyReconstruct
  case numPyFromBuffer
  case numPyArray
  case numPyType
  /// `defaultdict`, which is a dictionary.
  case defaultDictionary
  /// A class of which no object is built.
  case foreign(String)

  /// Nil for what is refused.
  init?(module: String, name: String) {
    switch (module, name) {
    case ("collections", "OrderedDict"): self = .orderedDictionary
    case ("collections", "defaultdict"): self = .defaultDictionary
    case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
    case ("torch._utils", "_rebuild_tensor_v3"): self = .rebuildTypedTensor
    case ("torch._utils", "_rebuild_parameter"),
      ("torch._utils", "_rebuild_parameter_with_state"):
      self = .rebuildParameter
    case ("torch._tensor", "_rebuild_from_type_v2"): self = .rebuildFromType
    case ("torch.storage", "UntypedStorage"), ("torch", "UntypedStorage"): self = .untypedStorage
    case ("torch", "Size"): self = .size
    case ("torch", "device"): self = .device
    case ("torch", _):
      if let type = PickleGlobal.storages[name] {
        self = .storage(type)
      } else if PickleGlobal.elementTypes.contains(name) {
        self = .elementType(name)
      } else if let name = PickleForeign.className(module: module, name: name) {
        self = .foreign(name)
      } else {
        return nil
      }
    case ("_codecs", "encode"): self = .encode
    case ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"):
      self = .numPyScalar
    case ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"):
      self = .numPyReconstruct
    case ("numpy.core.numeric", "_frombuffer"), ("numpy._core.numeric", "_frombuffer"):
      self = .numPyFromBuffer
    case ("numpy", "ndarray"): self = .numPyArray
    case ("numpy", "dtype"): self = .numPyType
    default:
      guard let name = PickleForeign.className(module: module, name: name) else { return nil }
      self = .foreign(name)
    }
  }

  private static let storages: [String: ElementType] = [
    "DoubleStorage": .float64, "FloatStorage": .float32, "HalfStorage": .float16,
    "BFloat16Storage": .bfloat16, "LongStorage": .int64, "IntStorage": .int32,
    "ShortStorage": .int16, "CharStorage": .int8, "ByteStorage": .uint8, "BoolStorage": .bool,
  ]

  private static let elementTypes: Set<String> = [
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint64",
    "uint32", "uint16", "uint8", "bool", "complex32", "complex64", "complex128", "float8_e4m3fn",
    "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "quint8", "qint8",
    "qint32",
  ]

  /// The elements of a storage class; bytes where it has no type.
  var storageType: ElementType? {
    switch self {
    case .storage(let type): type
    case .untypedStorage: .uint8
    default: nil
    }
  }

  /// The name for errors.
  var name: String {
    switch self {
    case .orderedDictionary: "collections.OrderedDict"
    case .rebuildTensor: "torch._utils._rebuild_tensor_v2"
    case .rebuildTypedTensor: "torch._utils._rebuild_tensor_v3"
    case .rebuildParameter: "torch._utils._rebuild_parameter"
    case .rebuildFromType: "torch._tensor._rebuild_from_type_v2"
    case .untypedStorage: "torch.storage.UntypedStorage"
    case .defaultDictionary: "collections.defaultdict"
    case .foreign(let name): name
    case .storage(let type): "torch storage of \(type.rawValue)"
    case .size: "torch.Size"
    case .device: "torch.device"
    case .elementType(let name): "torch.\(name)"
    case .encode: "_codecs.encode"
    case .numPyScalar: "numpy scalar"
    case .numPyReconstruct, .numPyFromBuffer: "numpy array"
    case .numPyArray: "numpy.ndarray"
    case .numPyType: "numpy.dtype"
    }
  }
}

/// Classes and functions that a pickle may name beside what `PickleGlobal` knows.
///
/// Checkpoints keep settings beside their weights: an `argparse.Namespace`, a configuration of
/// OmegaConf, a path, a set. Such objects are not built: what stands for one holds the parts that the
/// pickle gives it and the name of its class. Since nothing here is ever called, any name would do no
/// harm; those by which a pickle runs a program in Python are refused all the same, as is what would
/// leave out weights without a word.
enum PickleForeign {
  /// Modules with functions that run programs, load code or reach files, and no classes of settings.
  private static let refusedModules: Set<String> = [
    "_aix_support", "_osx_support", "_pickle", "_posixsubprocess", "_pyrepl", "asyncio", "atexit",
    "bdb", "cProfile", "cPickle", "code", "codeop", "commands", "concurrent", "ctypes",
    "dill", "distutils", "doctest", "ensurepip", "fcntl", "ftplib", "gc", "http", "httplib",
    "idlelib", "imp", "importlib", "inspect", "io", "joblib", "lib2to3", "linecache", "marshal",
    "mmap", "multiprocessing", "nt", "operator", "os", "pdb", "pickle", "pip", "pkgutil",
    "platform", "posix", "profile", "pstats", "pty", "pydoc", "requests", "runpy", "setuptools",
    "shutil", "signal", "site", "smtplib", "socket", "ssl", "subprocess", "sys", "telnetlib",
    "tempfile", "test", "threading", "timeit", "trace", "types", "urllib", "urllib2", "venv",
    "webbrowser", "xmlrpc", "zipimport",
  ]

  /// Types of `builtins` that a pickle names without harm.
  private static let builtInTypes: Set<String> = [
    "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "long",
    "object", "range", "set", "slice", "str", "tuple", "type", "unicode", "xrange", "NoneType",
  ]

  /// Longer names are no names; a few bytes can name one over and over.
  private static let maxNameByteCount = 200

  /// The class's name, as in `argparse.Namespace`; nil if it is refused.
  static func className(module: String, name: String) -> String? {
    guard module.utf8.count <= maxNameByteCount, name.utf8.count <= maxNameByteCount,
      isIdentifier(module), isIdentifier(name)
    else { return nil }
    let package = module.prefix { $0 != "." }
    switch package {
    case "builtins", "__builtin__":
      return builtInTypes.contains(name) ? "builtins.\(name)" : nil
    case _ where refusedModules.contains(String(package)): return nil
    case "torch": return isClassOfTorch(module: module, name: name) ? "\(module).\(name)" : nil
    case "numpy": return isPartOfNumPy(module: module, name: name) ? "\(module).\(name)" : nil
    default: return "\(module).\(name)"
    }
  }

  /// Functions of PyTorch rebuild tensors, which must not be lost, or load files.
  private static func isClassOfTorch(module: String, name: String) -> Bool {
    let internals = ["torch._utils", "torch._tensor", "torch.storage", "torch.serialization"]
    guard !internals.contains(module), !module.hasPrefix("torch.hub"),
      !module.hasPrefix("torch.jit"), !module.hasPrefix("torch.package"),
      !module.hasPrefix("torch.utils"), !module.hasPrefix("torch._dynamo")
    else { return false }
    let isFunction = name.first?.isLowercase ?? true
    return !isFunction || module.hasPrefix("torch.nn") || module.hasPrefix("torch.optim")
      || module.hasPrefix("torch.distributions")
  }

  /// Types, and what random states are made by.
  private static func isPartOfNumPy(module: String, name: String) -> Bool {
    if module.hasPrefix("numpy.random") { return true }
    let types = [
      "bool", "bool_", "str_", "bytes_", "object_", "void", "datetime64", "timedelta64",
      "complex64", "complex128", "float16", "float32", "float64", "longdouble",
    ]
    return module == "numpy"
      && (types.contains(name) || name.hasPrefix("int") || name.hasPrefix("uint"))
  }

  private static func isIdentifier(_ text: String) -> Bool {
    !text.isEmpty
      && text.unicodeScalars.allSatisfy {
        $0 == "_" || $0 == "." || $0 == "<" || $0 == ">" || $0.properties.isAlphabetic
          || $0.properties.numericType != nil
      }
  }
}
