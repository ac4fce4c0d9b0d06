import Configuration
import Tensors

/// A file, or several that belong together, with named tensors in it.
public protocol TensorFile: Sendable {
  /// The path that it was opened by.
  var path: String { get }
  /// The names of all tensors, sorted.
  var names: [String] { get }

  /// Reads one tensor.
  ///
  /// - Throws: `FileError` if there is no such tensor or it cannot be read.
  func storedTensor(named name: String) throws(FileError) -> StoredTensor
}

extension TensorFile {
  /// Reads one tensor and converts it to float32.
  ///
  /// - Throws: `FileError` if there is no such tensor or it cannot be read.
  public func tensor(named name: String) throws(FileError) -> Tensor {
    Tensor(try storedTensor(named: name))
  }

  /// Reads the elements of an integer or boolean tensor.
  ///
  /// - Throws: `FileError` if there is no such tensor, or its elements are floating-point numbers.
  public func integers(named name: String) throws(FileError) -> [Int] {
    let stored = try storedTensor(named: name)
    guard let integers = stored.integers else {
      throw FileError(
        .unsupported, path: path, item: name,
        problem: stored.elementType.isFloatingPoint
          ? "is \(stored.elementType.rawValue), where integers are expected"
          : "has integers beyond 2^63 - 1",
        advice: "store it as int64")
    }
    return integers
  }

  /// The error for a name that is not in the file.
  func missing(_ name: String) -> FileError {
    let nearest = name.nearest(among: names)
    let has = names.isEmpty ? "the file has no tensors" : "the file has \(names.count) others"
    return FileError(
      .missing, path: path, item: name, problem: "is not in the file (\(has))",
      advice: nearest.map { "did you mean '\($0)'?" } ?? "list them with attune inspect")
  }
}
