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

  /// The file names that these kinds usually end in.
  public static let usualSuffixes = [
    ".safetensors", ".npy", ".npz", ".h5", ".hdf5", ".pt", ".pth",
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
    let bytes = try MappedFile.bytes(path: path)
    if bytes.matches(NPYHeader.magic) {
      self = .npy
    } else if bytes.matches(Array("PK".utf8)) {
      self = PyTorchArchive.isLikely(try ZipArchive(bytes, path: path)) ? .pytorch : .npz
    } else if HDF5File.isLikely(bytes) {
      self = .hdf5
    } else if bytes.matches([UInt8(ascii: "{")], at: 8) || path.hasSuffix(".safetensors") {
      self = .safetensors
    } else {
      try PyTorchFile.refuseLegacy(bytes, path: path)
      throw FileError(
        .unsupported, path: path,
        problem: bytes.count == 0
          ? "is empty" : "is not a safetensors, npy, npz, HDF5 or PyTorch file",
        advice: "check that this is the file you mean")
    }
  }
}
