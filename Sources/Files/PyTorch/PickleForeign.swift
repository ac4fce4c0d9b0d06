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
