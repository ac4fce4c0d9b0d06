/// An npz file: a zip archive of npy arrays, stored or compressed.
public struct NPZFile: TensorFile {
  /// The path that it was opened by.
  public let path: String
  /// The names of all arrays of numbers, sorted.
  public let names: [String]
  /// Why each of the other arrays is not read, by name: those of texts or objects.
  public var unreadable: [String: String] { refusals.mapValues(\.problem) }
  private let archive: ZipArchive
  private let members: [String: ZipArchive.Member]
  private let headers: [String: NPYHeader]
  private let refusals: [String: FileError]

  private static let suffix = ".npy"

  /// Opens an archive and reads the header of each array.
  ///
  /// - Throws: `FileError` if it cannot be opened or is damaged.
  public init(path: String) throws(FileError) {
    self = try NPZFile(try ZipArchive(path: path))
  }

  init(_ archive: ZipArchive) throws(FileError) {
    path = archive.path
    self.archive = archive
    var members: [String: ZipArchive.Member] = [:]
    var headers: [String: NPYHeader] = [:]
    var refusals: [String: FileError] = [:]
    for member in archive.members where member.name.hasSuffix(NPZFile.suffix) {
      let name = String(member.name.dropLast(NPZFile.suffix.count))
      let start = try archive.contents(of: member, limit: NPYHeader.maxByteCount)
      let header: NPYHeader
      do {
        header = try NPYHeader(start, path: path, part: name)
      } catch {
        // An array of another type does not keep the others from being read; damage does.
        guard error.kind == .unsupported else { throw error }
        refusals[name] = error
        continue
      }
      guard member.byteCount - header.dataStart == header.dataByteCount else {
        throw FileError(
          .malformed, path: path, item: name,
          problem: "is \(header.elementType.rawValue) of shape \(header.shape), which takes "
            + "\(header.dataByteCount) bytes, not \(member.byteCount - header.dataStart)",
          advice: "the file is damaged")
      }
      members[name] = member
      headers[name] = header
    }
    self.members = members
    self.headers = headers
    self.refusals = refusals
    names = members.keys.sorted()
  }

  /// The type and shape of an array, without reading its elements; nil if there is no such array.
  public func layout(of name: String) -> (elementType: ElementType, shape: [Int])? {
    headers[name].map { ($0.elementType, $0.shape) }
  }

  /// Reads one array and checks its sum.
  ///
  /// - Throws: `FileError` if there is no such array, it is of a type that Attune does not read, or
  ///   it is damaged.
  public func storedTensor(named name: String) throws(FileError) -> StoredTensor {
    if let refusal = refusals[name] { throw refusal }
    guard let member = members[name], let header = headers[name] else { throw missing(name) }
    let bytes = try archive.contents(of: member)
    return try header.stored(in: bytes, path: path, part: name)
  }

  /// Writes arrays; the file appears under its name only when it is complete.
  ///
  /// - Throws: `FileError` if NumPy has no such type or the system refuses.
  public static func write(
    _ tensors: [String: StoredTensor], to path: String, isCompressed: Bool = false
  ) throws(FileError) {
    try AtomicFile.write(to: path) { file throws(FileError) in
      var writer = ZipWriter(path: path)
      for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
        let header = try NPYFile.header(for: tensor, path: path, part: name)
        try writer.append(
          [Bytes(copying: header), tensor.bytes], named: name + suffix,
          isCompressed: isCompressed, to: file)
      }
      try writer.finish(to: file)
    }
  }
}
