/// A PyTorch checkpoint: what `torch.save` wrote, as far as it is tensors, numbers, texts, lists
/// and dictionaries. Nothing else is built, only named, and nothing in the file is executed.
public struct PyTorchFile: TensorFile {
  /// The path that it was opened by.
  public let path: String
  /// Everything in the checkpoint.
  public let root: PyTorchValue
  /// The names of all tensors, sorted: keys and list positions from the top, joined by slashes, as
  /// in `model/network.0.weight`.
  public let names: [String]
  private let tensors: [String: PyTorchTensor]

  /// Opens a checkpoint and reads its structure, not its tensors.
  ///
  /// - Throws: `FileError` if it cannot be opened, is damaged, names a function that a checkpoint has no
  ///   use for, or has its tensors only in objects that are not built; the error names the class.
  public init(path: String) throws(FileError) {
    let bytes = try MappedFile.bytes(path: path)
    try PyTorchFile.refuseLegacy(bytes, path: path)
    self = try PyTorchFile(try ZipArchive(bytes, path: path))
  }

  init(_ zip: ZipArchive) throws(FileError) {
    let archive = try PyTorchArchive(zip)
    path = archive.path
    var unpickler = Unpickler(try archive.pickle(), archive: archive)
    root = try unpickler.value()
    guard let leaves = root.leaves else {
      throw FileError(
        .tooLarge, path: path, item: "data.pkl", problem: "has keys too long or too many to list")
    }
    var tensors: [String: PyTorchTensor] = [:]
    for leaf in leaves {
      if case .tensor(let tensor) = leaf.value { tensors[leaf.name] = tensor }
    }
    try PyTorchFile.checkTensors(tensors.isEmpty, leaves: leaves, path: path)
    self.tensors = tensors
    names = tensors.keys.sorted()
  }

  /// Refuses a file whose only tensors are in objects that were not built, as in `torch.save(model)`.
  private static func checkTensors(
    _ isWithout: Bool, leaves: [PyTorchValue.Leaf], path: String
  ) throws(FileError) {
    guard isWithout else { return }
    for leaf in leaves {
      guard case .object(let name, let count) = leaf.value, count > 0 || leaf.name.isEmpty else {
        continue
      }
      throw FileError(
        .unsupported, path: path, item: name,
        problem: "is an object that Attune does not build, and the file has no tensors beside it",
        advice: PickleReductions.advice)
    }
  }

  /// The type and shape of a tensor, without reading its elements; nil if there is no such tensor.
  public func layout(of name: String) -> (elementType: ElementType, shape: [Int])? {
    tensors[name].map { ($0.elementType, $0.shape) }
  }

  /// Reads one tensor in row-major order.
  ///
  /// - Throws: `FileError` if there is no such tensor or its storage is damaged.
  public func storedTensor(named name: String) throws(FileError) -> StoredTensor {
    guard let tensor = tensors[name] else { throw missing(name) }
    return try tensor.stored()
  }

  /// Whether bytes begin like a checkpoint from before PyTorch 1.6: a bare pickle.
  static func isLegacy(_ bytes: Bytes) -> Bool {
    // PROTO 2, LONG1 of ten bytes: the magic number of torch.save.
    bytes.matches([0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50])
  }

  static func refuseLegacy(_ bytes: Bytes, path: String) throws(FileError) {
    let isTar = bytes.matches(Array("ustar".utf8), at: 257)
    guard isLegacy(bytes) || isTar else { return }
    throw FileError(
      .unsupported, path: path, problem: "is a PyTorch checkpoint in the format from before 1.6",
      advice: "load it in Python and save it again: torch.save(torch.load(path), path)")
  }
}
