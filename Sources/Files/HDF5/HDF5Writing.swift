import CHDF5Bridge
import Glibc

extension HDF5File {
  /// What a group or a dataset is written with beside its elements.
  public enum WrittenAttribute: Sendable {
    /// A text.
    case text(String)
    /// A number.
    case integer(Int)
  }

  /// Writes tensors as datasets; the file appears under its name only when it is complete. libhdf5
  /// runs in this process, as what it sees comes from here.
  ///
  /// - Parameters:
  ///   - tensors: by name; slashes in it lead through groups, as in `data/demo_0/actions`.
  ///   - attributes: by the name of a dataset or of a group with datasets, and by their own.
  ///   - compressed: the names of datasets that are compressed by gzip, each row by itself; they have
  ///     elements.
  ///   - path: the file.
  /// - Throws: `FileError` if HDF5 does not have the type of one, there is no memory or the system
  ///   refuses.
  public static func write(
    _ tensors: [String: StoredTensor], attributes: [String: [String: WrittenAttribute]] = [:],
    compressed: Set<String> = [], to path: String
  ) throws(FileError) {
    let sorted = tensors.sorted { $0.key < $1.key }
    for (name, tensor) in sorted {
      precondition(
        !name.split(separator: "/", omittingEmptySubsequences: false).contains(""),
        "a dataset called '\(name)'")
      guard tensor.elementType.hdf5Code != nil, tensor.elementType != .float16 else {
        throw FileError(
          .unsupported, path: path, item: name,
          problem: "is \(tensor.elementType.rawValue), which is not written to HDF5",
          advice: "write it as float32")
      }
      precondition(
        !compressed.contains(name)
          || tensor.shape.count > 0 && !tensor.shape.contains(0),
        "'\(name)' of shape \(tensor.shape) is to be compressed")
    }
    guard
      let image = HDF5Image(tensors: sorted, attributes: attributes, compressed: compressed)
    else {
      throw FileError(
        .system, path: path, problem: "libhdf5 does not write it",
        advice: "free some memory, or write an npz file")
    }
    try AtomicFile.write(to: path) { file throws(FileError) in try file.append(image.bytes) }
  }
}

/// The bytes of a file.
private final class HDF5Image {
  let bytes: UnsafeRawBufferPointer

  deinit { free(UnsafeMutableRawPointer(mutating: bytes.baseAddress)) }

  /// Nil if libhdf5 refuses.
  init?(
    tensors: [(key: String, value: StoredTensor)],
    attributes: [String: [String: HDF5File.WrittenAttribute]], compressed: Set<String>
  ) {
    let writer = attune_hdf5_write_begin()
    guard writer >= 0 else { return nil }
    defer { attune_hdf5_write_close(writer) }
    for (name, tensor) in tensors {
      guard Self.write(tensor, name, isCompressed: compressed.contains(name), to: writer) else {
        return nil
      }
    }
    for (owner, values) in attributes.sorted(by: { $0.key < $1.key }) {
      for (name, value) in values.sorted(by: { $0.key < $1.key }) {
        guard Self.write(value, name, of: owner, to: writer) else { return nil }
      }
    }
    var byteCount: UInt64 = 0
    guard let start = attune_hdf5_write_image(writer, &byteCount) else { return nil }
    bytes = UnsafeRawBufferPointer(start: start, count: Int(byteCount))
  }

  private static func write(
    _ tensor: StoredTensor, _ name: String, isCompressed: Bool, to writer: AttuneHDF5Writer
  ) -> Bool {
    guard let code = tensor.elementType.hdf5Code else { return false }
    let shape = tensor.shape.map { UInt64($0) }
    return name.withCString { name in
      shape.withUnsafeBufferPointer { shape in
        tensor.withUnsafeBytes { bytes in
          var written = AttuneHDF5Tensor(
            name: name, element_type: code, rank: UInt32(shape.count), shape: shape.baseAddress,
            elements: bytes.baseAddress, is_compressed: isCompressed ? 1 : 0)
          return attune_hdf5_write_tensor(writer, &written) == 0
        }
      }
    }
  }

  private static func write(
    _ value: HDF5File.WrittenAttribute, _ name: String, of owner: String,
    to writer: AttuneHDF5Writer
  ) -> Bool {
    owner.withCString { owner in
      name.withCString { name in
        switch value {
        case .text(let text):
          return text.withCString { text in
            var written = AttuneHDF5Attribute(owner: owner, name: name, text: text, integer: 0)
            return attune_hdf5_write_attribute(writer, &written) == 0
          }
        case .integer(let integer):
          var written = AttuneHDF5Attribute(
            owner: owner, name: name, text: nil, integer: Int64(integer))
          return attune_hdf5_write_attribute(writer, &written) == 0
        }
      }
    }
  }
}
