import Files
import NeuralNetworks
import Tensors

extension TextToImageModel {
  /// Sixteen hexadecimal digits that depend on every weight, the configurations and the vocabulary:
  /// what is made for one model, such as a noise prior, can tell whether it meets another.
  ///
  /// Computed from the present weights at each call; changes neither with the element type of the
  /// files that float32 weights were read from, nor with their names.
  public var fingerprint: String {
    var hash = Hash()
    var configurations = [textEncoder.configuration.json, unet.configuration.json, scheduler.json]
    if let autoencoder { configurations.append(autoencoder.configuration.json) }
    for configuration in configurations { hash.add(configuration.text.utf8) }
    for (text, token) in tokenizer.vocabulary.identifiers.sorted(by: { $0.value < $1.value }) {
      hash.add(text.utf8)
      hash.add(UInt64(token))
    }
    hash.add(tokenizer.padding.utf8)
    for token in tokenizer.addedTokens where tokenizer.vocabulary.identifiers[token.text] == nil {
      hash.add(token.text.utf8)
      hash.add(UInt64(token.identifier))
    }
    for (name, parameter) in parameters.sorted(by: { $0.name < $1.name }) {
      hash.add(name.utf8)
      for size in parameter.value.shape { hash.add(UInt64(size)) }
      hash.add(parameter.value)
    }
    let digits = String(hash.value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// A hash that is the same on every machine and in every run; not meant against forgery.
private struct Hash {
  private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  private static func mixed(_ value: UInt64) -> UInt64 {
    let product = value &* 0x9E37_79B9_7F4A_7C15
    return product ^ (product >> 29)
  }

  mutating func add(_ word: UInt64) { value = Self.mixed(value ^ word) }

  mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { add(UInt64(byte)) }
    add(0xFF)
  }

  mutating func add(_ tensor: Tensor) {
    tensor.withUnsafeElements { elements in
      // Four lanes, so that one multiplication need not wait for the other.
      var lanes: SIMD4<UInt64> = [1, 2, 3, 4]
      let whole = elements.count / 8 * 8
      let bytes = UnsafeRawBufferPointer(elements)
      for offset in stride(from: 0, to: whole * 4, by: 32) {
        let next = bytes.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt64>.self)
        let product = (lanes ^ next) &* SIMD4(repeating: 0x9E37_79B9_7F4A_7C15)
        lanes = product ^ (product &>> SIMD4(repeating: 29))
      }
      for lane in 0..<4 { add(lanes[lane]) }
      for index in whole..<elements.count { add(UInt64(elements[index].bitPattern)) }
    }
  }
}
