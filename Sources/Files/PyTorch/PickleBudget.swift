/// How much a pickle may still build.
///
/// Whatever is built stays until the pickle's end, and a few bytes can have a long list or text
/// that is already there copied over and over.
struct PickleBudget {
  /// Containers and their items.
  private var itemCount = PickleBudget.maxItemCount
  /// Of texts and of what they are encoded to.
  private var byteCount: Int
  private let path: String

  /// An operation of an honest pickle makes a container or an item of one, or both; see
  /// `Unpickler.maxOperationCount`.
  private static let maxItemCount = 1 << 23

  /// What a pickle may build that has this many bytes: each may be part of a text, and once more
  /// of the bytes that a text stands for.
  init(pickleByteCount: Int, path: String) {
    byteCount = 2 * pickleByteCount
    self.path = path
  }

  mutating func spend(items count: Int) throws(FileError) {
    try check(items: count)
    itemCount -= count
  }

  /// Throws if so many items are too many, and spends none.
  func check(items count: Int) throws(FileError) {
    guard count <= itemCount else {
      throw tooLarge("builds more than \(PickleBudget.maxItemCount) items")
    }
  }

  mutating func spend(bytes count: Int) throws(FileError) {
    guard count <= byteCount else { throw tooLarge("builds more bytes than it has itself") }
    byteCount -= count
  }

  private func tooLarge(_ problem: String) -> FileError {
    FileError(
      .tooLarge, path: path, item: "data.pkl", problem: problem,
      advice: "keep large arrays in tensors")
  }
}
