import Synchronization

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
