/// Why a picture could not be read or written.
public enum ImageFileError: Error, Equatable {
  /// The file, or the folder around it, cannot be opened.
  case unreadable(file: String, reason: String)
  /// The file does not begin as a PNG does.
  case notPNG(file: String, found: String)
  /// The file begins as a PNG and breaks off or contradicts itself.
  case damaged(file: String, reason: String)
  /// The header asks for more pixels than `Image.pixelCountLimit`.
  case tooLarge(file: String, width: Int, height: Int)
  /// The file cannot be written.
  case unwritable(file: String, reason: String)
}

extension ImageFileError: CustomStringConvertible {
  /// One sentence that names the file, what is wrong with it and what to do.
  public var description: String {
    switch self {
    case .unreadable(let file, let reason):
      "cannot read \(file): \(reason)"
    case .notPNG(let file, let found):
      "\(file) is not a PNG: \(found); convert it with: ffmpeg -i '\(file)' picture.png"
    case .damaged(let file, let reason):
      "\(file) is a damaged PNG: \(reason); make or copy the file again"
    case .tooLarge(let file, let width, let height):
      "\(file) claims \(width)x\(height) pixels; at most \(Image.pixelCountLimit) are read: "
        + "make it smaller"
    case .unwritable(let file, let reason):
      "cannot write \(file): \(reason)"
    }
  }
}
