import Files
import Tensors

/// Turns tensors of one file into rows, and refuses what does not fit.
struct CheckedTensors {
  let path: String

  /// A matrix as float32, and its width.
  func rows(
    _ stored: StoredTensor, named name: String, count: Int? = nil
  ) throws(DemonstrationError) -> (values: [Float], width: Int) {
    guard stored.shape.count == 2, stored.shape[1] > 0, count ?? stored.shape[0] == stored.shape[0]
    else {
      throw .shape(
        path: path, tensor: name, found: stored.shape,
        expected: "[\(count.map(String.init) ?? "steps"), size]")
    }
    let values = Tensor(stored).elements
    try checkFinite(values, named: name, width: stored.shape[1])
    return (values, stored.shape[1])
  }

  /// One number for each step, as float32.
  func column(
    _ stored: StoredTensor, named name: String, count: Int
  ) throws(DemonstrationError) -> [Float] {
    // Some writers keep a dimension of one.
    guard stored.shape == [count] || stored.shape == [count, 1] else {
      throw .shape(path: path, tensor: name, found: stored.shape, expected: "[\(count)]")
    }
    let values = Tensor(stored).elements
    try checkFinite(values, named: name, width: 1)
    return values
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
