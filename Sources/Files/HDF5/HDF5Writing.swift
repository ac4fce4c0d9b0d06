import CHDF5Bridge
import Glibc

extension HDF5File {
  /// Writes tensors as datasets of the root group; the file appears under its name only when it is
  /// complete. libhdf5 runs in this process, as what it sees comes from here.
  ///
  /// - Parameters:
  ///   - tensors: by name, without slashes.
  ///   - path: the file.
  /// - Throws: `FileError` if HDF5 does not have the type of one, there is no memory or the system
  ///   refuses.
  public static func write(
    _ tensors: [String: StoredTensor], to path: String
  ) throws(FileError) {
    var byteCount: UInt64 = 0
    let sorted = tensors.sorted { $0.key < $1.key }
    for (name, tensor) in sorted {
      precondition(!name.isEmpty && !name.contains("/"), "a dataset called '\(name)'")
      guard tensor.elementType.hdf5Code != nil, tensor.elementType != .float16 else {
        throw FileError(
          .unsupported, path: path, item: name,
          problem: "is \(tensor.elementType.rawValue), which is not written to HDF5",
          advice: "write it as float32")
      }
    }
    guard let image = image(of: sorted[...], [], byteCount: &byteCount) else {
      throw FileError(
        .system, path: path, problem: "libhdf5 does not write it",
        advice: "free some memory, or write an npz file")
    }
    defer { free(image) }
    let bytes = UnsafeRawBufferPointer(start: image, count: Int(byteCount))
    try AtomicFile.write(to: path) { file throws(FileError) in try file.append(bytes) }
  }

  /// Opens one tensor after the other, so that C sees all of them, and then has them written.
  private static func image(
    of rest: ArraySlice<(key: String, value: StoredTensor)>, _ opened: [AttuneHDF5Tensor],
    byteCount: inout UInt64
  ) -> UnsafeMutableRawPointer? {
    guard let (name, tensor) = rest.first, let code = tensor.elementType.hdf5Code else {
      return attune_hdf5_image(opened, UInt32(opened.count), &byteCount)
    }
    let shape = tensor.shape.map { UInt64($0) }
    return name.withCString { name in
      shape.withUnsafeBufferPointer { shape in
        tensor.withUnsafeBytes { bytes in
          image(
            of: rest.dropFirst(),
            opened + [
              AttuneHDF5Tensor(
                name: name, element_type: code, rank: UInt32(shape.count), shape: shape.baseAddress,
                elements: bytes.baseAddress)
            ], byteCount: &byteCount)
        }
      }
    }
  }
}
