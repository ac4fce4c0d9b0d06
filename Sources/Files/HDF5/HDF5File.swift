import CHDF5Bridge

/// An HDF5 file, read by libhdf5 in another process.
///
/// libhdf5 is not safe against damaged or hostile files, hence the process: what crashes or hangs
/// there is an error here. Opening a file lists it; each read is done by a process of its own,
/// which writes into memory shared with this one. Those processes are forks of one that the first
/// file starts: this program again, which goes no further than to `Sources/CHDF5Bridge/Server.c`.
public struct HDF5File: TensorFile {
  /// The path that it was opened by.
  public let path: String
  /// The names of all datasets of numbers that can be read, sorted, as in `data/demo_0/actions`.
  public let names: [String]
  /// All datasets, sorted by name, also those that cannot be read.
  public let datasets: [HDF5Dataset]
  /// The names of all groups, sorted; the root is empty.
  public let groups: [String]
  /// Links that were not followed, with what they are: circles, links to nowhere or other files.
  public let links: [String: String]

  private let attributes: [String: [String: HDF5Attribute]]
  private let datasetsByName: [String: HDF5Dataset]
  /// Nil for limits that go by the file's size.
  let limits: HDF5Limits?

  private static let minRecordByteCount = 64 << 20
  static let storageAdvice =
    "store it as plain numbers, uncompressed or with gzip: in Python, or by "
    + "h5repack -f GZIP=4 IN OUT where that knows the filter"
  private static let versionAdvice =
    "a newer HDF5 wrote it: rewrite it by h5repack --high=v110 IN OUT of that HDF5, or by "
    + "h5py.File(path, 'w', libver=('earliest', 'v110'))"
  static let signature: [UInt8] = [0x89] + Array("HDF\r\n".utf8) + [0x1A, 0x0A]

  /// Lists a file.
  ///
  /// - Throws: `FileError` if it cannot be opened or is damaged.
  public init(path: String) throws(FileError) {
    self = try HDF5File(path: path, limits: nil)
  }

  init(path: String, limits: HDF5Limits?) throws(FileError) {
    let bytes = try MappedFile.bytes(path: path)
    guard HDF5File.isLikely(bytes) else {
      throw FileError(
        .malformed, path: path, problem: "does not begin like an HDF5 file",
        advice: "the file is damaged or not what its name states")
    }
    let capacity = HDF5File.recordCapacity(fileByteCount: bytes.count)
    let memory = try HDF5File.share(capacity, path: path, item: nil)
    let result = attune_hdf5_list(
      path, (limits ?? .listing(fileByteCount: bytes.count)).bridged, memory.bridged)
    try HDF5File.check(result, path: path, item: nil)
    let records = memory.bytes(count: min(Int(clamping: result.byte_count), memory.count))
    let listing = try HDF5Listing(records: records, path: path)
    self.path = path
    self.limits = limits
    groups = listing.groups.sorted()
    links = listing.links
    attributes = listing.attributes
    datasetsByName = listing.datasets
    datasets = listing.datasets.values.sorted { $0.name < $1.name }
    names = datasets.filter { $0.problem == nil && $0.elementType != nil }.map(\.name)
  }

  /// Whether the signature is where one may be: at the start, or at 512, 1024, ... bytes.
  static func isLikely(_ bytes: Bytes) -> Bool {
    var position = 0
    while position < bytes.count {
      if bytes.matches(signature, at: position) { return true }
      position = position == 0 ? 512 : position * 2
    }
    return false
  }

  /// The error for a dataset that is not in the listing, or only as what could not be followed.
  func absent(_ name: String) -> FileError {
    guard let what = links[HDF5File.normalized(name)] else { return missing(name) }
    return FileError(
      .unsupported, path: path, item: name, problem: "is \(what)",
      advice: what.contains("newer version") ? HDF5File.versionAdvice : nil)
  }

  /// The attributes of a group or dataset; the root group has an empty name.
  public func attributes(of name: String) -> [String: HDF5Attribute] {
    attributes[HDF5File.normalized(name)] ?? [:]
  }

  /// What the listing says of a dataset; nil if there is none of that name.
  public func dataset(named name: String) -> HDF5Dataset? {
    datasetsByName[HDF5File.normalized(name)]
  }

  /// Reads a whole dataset.
  ///
  /// - Throws: `FileError` if there is no such dataset or it cannot be read.
  public func storedTensor(named name: String) throws(FileError) -> StoredTensor {
    try read([try selection(of: name, rows: nil)])[0]
  }

  /// Reads a range of a dataset's first dimension.
  ///
  /// - Throws: `FileError` if there is no such dataset, it is shorter or cannot be read.
  public func storedTensor(
    named name: String, rows: Range<Int>
  ) throws(FileError) -> StoredTensor {
    try read([try selection(of: name, rows: rows)])[0]
  }

  /// Reads whole datasets, in the order of the names; quicker than one by one where they are many
  /// and small.
  ///
  /// - Throws: `FileError` if one of them is missing or cannot be read.
  public func storedTensors(named names: [String]) throws(FileError) -> [StoredTensor] {
    var selections: [HDF5Selection] = []
    for name in names { selections.append(try selection(of: name, rows: nil)) }
    return try read(selections)
  }

  private static func normalized(_ name: String) -> String {
    name.hasPrefix("/") ? String(name.dropFirst()) : name
  }

  /// Bytes for what a child writes of names and texts: what it reads is in the file, but a few
  /// texts may be referred to many times.
  static func recordCapacity(fileByteCount: Int) -> Int {
    max(minRecordByteCount, 2 * fileByteCount)
  }

  static func share(
    _ count: Int, path: String, item: String?
  ) throws(FileError) -> SharedMemory {
    guard let memory = SharedMemory(count: count) else {
      throw FileError(
        .tooLarge, path: path, item: item,
        problem: "takes \(count) bytes, more than there is memory")
    }
    return memory
  }
}

extension HDF5File {
  /// Throws unless the worker ended as it should.
  static func check(
    _ result: AttuneHDF5Result, path: String, item: String?
  ) throws(FileError) {
    let damaged = "the file is damaged or hostile"
    switch result.outcome {
    case attune_hdf5_done: return
    case attune_hdf5_refused:
      throw FileError(
        .malformed, path: path, item: item, problem: result.text,
        advice: "the file is damaged, or changed while it was read")
    case attune_hdf5_unknown_version:
      throw FileError(
        .unsupported, path: path, item: item,
        problem: "has a version of the HDF5 format that Attune does not read (\(result.text))",
        advice: versionAdvice)
    case attune_hdf5_out_of_time:
      throw FileError(
        .tooLarge, path: path, item: item, problem: "takes libhdf5 too long to read",
        advice: damaged)
    case attune_hdf5_not_started:
      throw FileError(.system, path: path, item: item, problem: result.text)
    default:
      throw FileError(
        .malformed, path: path, item: item, problem: "makes libhdf5 crash", advice: damaged)
    }
  }
}

extension AttuneHDF5Result {
  /// The message as text.
  fileprivate var text: String {
    withUnsafeBytes(of: message) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}

/// What a worker that reads an HDF5 file may use.
struct HDF5Limits {
  var processorSeconds: Double
  var memoryByteCount: Int

  /// An object takes some 300 bytes and 0.1 ms; this is ten times slower.
  static func listing(fileByteCount: Int) -> HDF5Limits {
    HDF5Limits(
      processorSeconds: min(120, 5 + Double(fileByteCount) / 3e5), memoryByteCount: 1 << 30)
  }

  /// Decompressing on a slow machine gives at least 10 MB a second.
  static func reading(_ selections: [HDF5Selection]) -> HDF5Limits {
    let limit = selections.reduce(0.0) {
      $0 + Double(max($1.byteCount, $1.dataset.storedByteCount))
    }
    return HDF5Limits(processorSeconds: 5 + limit / 1e7, memoryByteCount: 1 << 30)
  }

  var bridged: AttuneHDF5Limits {
    AttuneHDF5Limits(
      processor_seconds: processorSeconds, memory_byte_count: UInt64(memoryByteCount))
  }
}
