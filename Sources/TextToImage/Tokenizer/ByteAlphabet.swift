/// The characters by which byte-level vocabularies write bytes: printable ones stand for
/// themselves, the others for characters from U+0100 on (Radford et al. 2019, GPT-2).
enum ByteAlphabet {
  /// Bytes in the order of their characters' numbers in a vocabulary: printable ones first.
  static let order: [UInt8] = printable + (0...255).filter { !printable.contains($0) }

  /// The character of each byte.
  static let characters: [Unicode.Scalar] = {
    var characters = [Unicode.Scalar](repeating: "\0", count: 256)
    var next: UInt32 = 256
    for byte in order {
      if printable.contains(byte) {
        characters[Int(byte)] = Unicode.Scalar(byte)
      } else if let scalar = Unicode.Scalar(next) {
        characters[Int(byte)] = scalar
        next += 1
      }
    }
    return characters
  }()

  private static let printable: [UInt8] = Array(33...126) + Array(161...172) + Array(174...255)

  private static let bytes: [Unicode.Scalar: UInt8] = Dictionary(
    uniqueKeysWithValues: characters.enumerated().map { ($1, UInt8($0)) })

  /// The text that stands for some bytes.
  static func text(_ bytes: some Sequence<UInt8>) -> String {
    var text = String.UnicodeScalarView()
    for byte in bytes { text.append(characters[Int(byte)]) }
    return String(text)
  }

  /// The bytes that a text stands for; nil if it has other characters.
  static func bytes(_ text: some StringProtocol) -> [UInt8]? {
    var result: [UInt8] = []
    for scalar in text.unicodeScalars {
      guard let byte = bytes[scalar] else { return nil }
      result.append(byte)
    }
    return result
  }
}
