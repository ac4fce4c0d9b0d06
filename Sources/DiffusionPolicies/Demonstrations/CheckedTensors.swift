import Files
import Tensors

/// Turns tensors of one file into rows, and refuses what does not fit.
struct CheckedTensors {
  let path: String

  /// A matrix as float32, and its width. Dimensions of size 1 after the first are left out.
  func rows(
    _ stored: StoredTensor, named name: String, count: Int? = nil
  ) throws(DemonstrationError) -> (values: [Float], width: Int) {
    guard let shape = Self.matrixShape(stored.shape), shape[1] > 0, count ?? shape[0] == shape[0]
    else {
      throw .shape(
        path: path, tensor: name, found: stored.shape,
        expected: "[\(count.map(String.init) ?? "steps"), size]")
    }
    let values = Tensor(stored).elements
    try checkFinite(values, named: name, width: shape[1])
    return (values, shape[1])
  }

  /// One number for each step, as float32.
  func column(
    _ stored: StoredTensor, named name: String, count: Int
  ) throws(DemonstrationError) -> [Float] {
    // Some writers keep dimensions of one.
    guard stored.shape.first == count, stored.shape.dropFirst().allSatisfy({ $0 == 1 }) else {
      throw .shape(path: path, tensor: name, found: stored.shape, expected: "[\(count)]")
    }
    let values = Tensor(stored).elements
    try checkFinite(values, named: name, width: 1)
    return values
  }

  /// `[T, D]` of a shape such as `[T, 1, D]`; nil if more than one dimension besides the first has
  /// another size than 1.
  static func matrixShape(_ shape: [Int]) -> [Int]? {
    guard shape.count > 2 else { return shape.count == 2 ? shape : nil }
    let sizes = shape.dropFirst().filter { $0 != 1 }
    return sizes.count <= 1 ? [shape[0], sizes.first ?? 1] : nil
  }

  /// Whether `matrixShape` leaves dimensions out.
  static func isSqueezed(_ shape: [Int]) -> Bool {
    shape.count > 2 && matrixShape(shape) != nil
  }

  private func checkFinite(
    _ values: [Float], named name: String, width: Int
  ) throws(DemonstrationError) {
    guard let index = values.firstIndex(where: { !$0.isFinite }) else { return }
    throw .notFinite(
      path: path, tensor: name, row: index / width, column: index % width,
      value: "\(values[index])")
  }
}
