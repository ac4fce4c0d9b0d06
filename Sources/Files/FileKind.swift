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

  static let indexSuffix = ".safetensors.index.json"

  /// Finds out what a file is by its first bytes.
  ///
  /// - Throws: `FileError` if it cannot be opened or is none of these kinds.
  public init(path: String) throws(FileError) {
    if path.hasSuffix(FileKind.indexSuffix) {
      self = .safetensors
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
