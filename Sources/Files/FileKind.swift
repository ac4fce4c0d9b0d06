/// The kinds of files with tensors that Attune reads.
public enum FileKind: String, Sendable, CaseIterable {
  /// One file of the safetensors format, or an index of several.
  case safetensors
  /// One NumPy array.
  case npy
  /// A zip archive of NumPy arrays.
  case npz
  /// An HDF5 file.
  case hdf5
  /// A checkpoint of `torch.save`.
  case pytorch
  /// A table, column by column.
  case parquet
  /// The arrays of a zarr hierarchy, a folder or a zip archive of one.
  case zarr

  /// The file names that these kinds usually end in.
  public static let usualSuffixes = [
    ".safetensors", ".npy", ".npz", ".h5", ".hdf5", ".pt", ".pth", ".parquet", ".zarr.zip",
  ]

  private static let safetensorsIndexMark = ".safetensors.index."
  private static let pyTorchIndexMark = ".bin.index."

  /// Whether a file is an index of shards by its name, as in `model.safetensors.index.json`,
  /// `model.fp16.safetensors.index.json` and `pytorch_model.bin.index.fp16.json`.
  static func isIndex(_ path: String) -> Bool {
    let name = path.lastPathComponent
    return name.hasSuffix(".json")
      && (name.contains(safetensorsIndexMark) || name.contains(pyTorchIndexMark))
  }

  /// Finds out what a file is by its first bytes.
  ///
  /// - Throws: `FileError` if it cannot be opened or is none of these kinds.
  public init(path: String) throws(FileError) {
    if FileKind.isIndex(path) {
      let isPyTorch = path.lastPathComponent.contains(FileKind.pyTorchIndexMark)
      self = isPyTorch ? .pytorch : .safetensors
      return
    }
    if ZarrFile.isLikely(folder: path) {
      self = .zarr
      return
    }
    let bytes = try MappedFile.bytes(path: path)
    if bytes.matches(NPYHeader.magic) {
      self = .npy
    } else if bytes.matches(Array("PK".utf8)) {
      let archive = try ZipArchive(bytes, path: path)
      self =
        PyTorchArchive.isLikely(archive) ? .pytorch : ZarrStore.isLikely(archive) ? .zarr : .npz
    } else if HDF5File.isLikely(bytes) {
      self = .hdf5
    } else if bytes.matches([UInt8(ascii: "{")], at: 8) || path.hasSuffix(".safetensors") {
      self = .safetensors
    } else if ParquetFooter.isLikely(bytes) {
      self = .parquet
    } else {
      try PyTorchFile.refuseLegacy(bytes, path: path)
      throw FileError(
        .unsupported, path: path,
        problem: bytes.count == 0
          ? "is empty" : "is not a safetensors, npy, npz, HDF5, PyTorch or parquet file",
        advice: "check that this is the file you mean")
    }
  }
}

/// The few lines of text that Git keeps in place of a large file until Git LFS has fetched it.
enum LFSPointer {
  private static let start = Array("version https://git-lfs.github.com/spec/v1".utf8)
  /// The format allows a pointer no more.
  private static let maxByteCount = 1_024

  /// Refuses a file that is a pointer; every reader of files asks here.
  ///
  /// - Throws: `FileError` that tells what to do.
  static func refuse(_ bytes: some Collection<UInt8>, path: String) throws(FileError) {
    guard bytes.count < maxByteCount, bytes.starts(with: start) else { return }
    let lines = TextFile.lines(of: String(decoding: bytes, as: UTF8.self))
    let size = lines.lazy.compactMap { line -> Int? in
      line.hasPrefix("size ") ? Int(line.dropFirst(5)) : nil
    }.first
    throw FileError(
      .missing, path: path,
      problem:
        "is a Git LFS pointer to a file\(size.map { " of \($0) bytes" } ?? ""), not the file",
      advice: "fetch it with git lfs pull, or download the file itself")
  }
}
