import Synchronization

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

/// The zip archive that `torch.save` writes: a pickle and one member for each storage.
final class PyTorchArchive: Sendable {
  let path: String
  private let archive: ZipArchive
  /// By the name within the archive's only folder.
  private let members: [String: ZipArchive.Member]
  /// Storages whose checksums were found right.
  private let storages = Mutex<[String: Bytes]>([:])

  private static let maxPickleByteCount = 1 << 30

  init(_ archive: ZipArchive) throws(FileError) {
    path = archive.path
    self.archive = archive
    let pickles = archive.members.filter { $0.name.hasSuffix(PyTorchArchive.pickleSuffix) }
    guard pickles.count == 1, let pickle = pickles.first else {
      throw FileError(
        .unsupported, path: archive.path, problem: "is a zip archive without a data.pkl",
        advice: "save it with torch.save")
    }
    let prefix = String(pickle.name.dropLast(PyTorchArchive.pickleSuffix.count)) + "/"
    var members: [String: ZipArchive.Member] = [:]
    for member in archive.members where member.name.hasPrefix(prefix) {
      members[String(member.name.dropFirst(prefix.count))] = member
    }
    self.members = members
    guard members["constants.pkl"] == nil, !members.keys.contains(where: { $0.hasPrefix("code/") })
    else {
      throw FileError(
        .unsupported, path: path, problem: "is a TorchScript program, not a checkpoint",
        advice: "save torch.jit.load(...).state_dict() with torch.save")
    }
    try checkByteOrder()
  }

  private static let pickleSuffix = "/data.pkl"

  /// Whether a zip archive looks like one of `torch.save`.
  static func isLikely(_ archive: ZipArchive) -> Bool {
    archive.members.contains { $0.name.hasSuffix(pickleSuffix) }
  }

  private func checkByteOrder() throws(FileError) {
    // Older versions did not write it, and were little-endian in practice.
    guard let member = members["byteorder"] else { return }
    let order = try archive.contents(of: member, limit: 16).text
    guard order == "little" else {
      throw FileError(
        .unsupported, path: path, item: "byteorder", problem: "is '\(order)', not 'little'",
        advice: "save it on a little-endian machine")
    }
  }

  func pickle() throws(FileError) -> Bytes {
    // Its presence was checked by the initializer.
    let member = members["data.pkl"]!
    guard member.byteCount <= PyTorchArchive.maxPickleByteCount else {
      throw FileError(
        .tooLarge, path: path, item: member.name, problem: "has \(member.byteCount) bytes",
        advice: "keep large arrays in tensors")
    }
    return try archive.contents(of: member)
  }

  /// The size of a storage, as the archive's directory gives it; nil if there is none.
  func storageByteCount(_ key: String) -> Int? { members["data/\(key)"]?.byteCount }

  /// The contents of a storage, checked once.
  func storage(_ key: String) throws(FileError) -> Bytes {
    if let known = storages.withLock({ $0[key] }) { return known }
    guard let member = members["data/\(key)"] else {
      throw FileError(.missing, path: path, item: "data/\(key)", problem: "is not in the archive")
    }
    let contents = try archive.contents(of: member)
    storages.withLock { $0[key] = contents }
    return contents
  }
}
