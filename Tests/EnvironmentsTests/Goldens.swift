import Foundation

/// The committed numbers that reference implementations gave.
enum Goldens {
  static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Goldens/Environments")

  /// An array of an `.npy` file.
  struct Array3 {
    var shape: [Int]
    var values: [Double]

    /// The values at a leading index or two.
    subscript(indices: Int...) -> ArraySlice<Double> {
      let size = shape.dropFirst(indices.count).reduce(1, *)
      let start = zip(indices, shape).reduce(0) { $0 * $1.1 + $1.0 } * size
      return values[start..<start + size]
    }
  }

  struct Unreadable: Error { var file: String }

  /// Reads a little-endian C-ordered array of float32 or float64.
  static func array(_ name: String) throws -> Array3 {
    let data = try Data(contentsOf: folder.appendingPathComponent(name))
    let headerSize = Int(data[8]) | Int(data[9]) << 8
    let header = String(decoding: data[10..<10 + headerSize], as: UTF8.self)
    guard let open = header.firstIndex(of: "("), let close = header.firstIndex(of: ")"),
      header.contains("'fortran_order': False")
    else { throw Unreadable(file: name) }
    let shape = header[header.index(after: open)..<close].split(separator: ",")
      .compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
    let body = data[(10 + headerSize)...]
    let count = shape.reduce(1, *)
    let values: [Double]
    if header.contains("'<f8'"), body.count == 8 * count {
      values = body.withUnsafeBytes { bytes in
        (0..<count).map { bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
      }
    } else if header.contains("'<f4'"), body.count == 4 * count {
      values = body.withUnsafeBytes { bytes in
        (0..<count).map { Double(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)) }
      }
    } else {
      throw Unreadable(file: name)
    }
    return Array3(shape: shape, values: values)
  }

  /// Reads a file of named numbers.
  static func numbers(_ name: String) throws -> [String: [String: [Double]]] {
    let data = try Data(contentsOf: folder.appendingPathComponent(name))
    return try JSONDecoder().decode([String: [String: [Double]]].self, from: data)
  }
}
