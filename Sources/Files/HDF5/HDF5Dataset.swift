/// What a listing says about a dataset.
public struct HDF5Dataset: Sendable {
  /// The names of its groups and its own, joined by slashes.
  public let name: String
  /// The type of its elements when read; nil if they are no numbers
  /// that Attune reads.
  public let elementType: ElementType?
  /// Whether its elements are texts, which `HDF5File.texts(of:)` reads.
  public let isText: Bool
  /// The name of its type, also where it cannot be read.
  public let typeName: String
  /// The size of each dimension, outermost first.
  public let shape: [Int]
  /// The bytes that it takes in the file, compressed.
  public let storedByteCount: Int
  /// Why it cannot be read, neither as numbers nor as texts; nil if it can.
  public let problem: String?
  /// The maximum number of bytes of elements that the stored ones can stand for.
  let maxByteCount: Int
}
