import Diffusion
import Files
import Foundation
import Tensors

/// A prior in a safetensors file: `mean` and `std`, of the shape of one sample, and its origin in the
/// metadata.
public struct NoisePriorFile: Sendable {
  /// The distribution.
  public var prior: NoisePrior
  /// What it was learned for.
  public var origin: PriorOrigin

  private static let key = "attune.prior"

  /// A prior and where it comes from.
  public init(prior: NoisePrior, origin: PriorOrigin) {
    self.prior = prior
    self.origin = origin
  }

  /// Reads a file.
  ///
  /// - Throws: `FileError` if it cannot be read, is damaged or holds no prior.
  public init(path: String) throws(FileError) {
    let file = try SafetensorsFile(path: path)
    guard let text = file.metadata[Self.key],
      let origin = try? JSONDecoder().decode(PriorOrigin.self, from: Data(text.utf8))
    else {
      throw FileError(
        .unsupported, path: path, problem: "holds no noise prior",
        advice: "name a file that attune noise optimize wrote")
    }
    if let problem = origin.problem { throw Self.damaged(path, Self.key, problem) }
    self.origin = origin
    let mean = Tensor(try file.storedTensor(named: "mean"))
    let deviation = Tensor(try file.storedTensor(named: "std"))
    guard mean.rank > 0 else {
      throw Self.damaged(path, "mean", "is one number, expected the shape of a sample")
    }
    guard deviation.shape == mean.shape else {
      throw Self.damaged(
        path, "std", "has shape \(deviation.shape), expected \(mean.shape), that of mean")
    }
    guard mean.elements.allSatisfy(\.isFinite) else {
      throw Self.damaged(path, "mean", "has elements that are not finite")
    }
    guard deviation.elements.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw Self.damaged(path, "std", "has elements that are not finite or not above 0")
    }
    prior = NoisePrior(mean: mean, standardDeviation: deviation)
  }

  private static func damaged(_ path: String, _ item: String, _ problem: String) -> FileError {
    FileError(
      .malformed, path: path, item: item, problem: problem, advice: "the file is damaged")
  }

  /// Writes the file; it appears under its name only when it is complete.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let text = String(decoding: try encoder.encode(origin), as: UTF8.self)
    try SafetensorsFile.write(
      ["mean": StoredTensor(prior.mean), "std": StoredTensor(prior.standardDeviation)],
      metadata: [Self.key: text], to: path)
  }

  /// Checks that the prior belongs to a model and to samples of a shape.
  ///
  /// - Parameters:
  ///   - path: the file, for the message.
  ///   - fingerprint: of the model that is to use it.
  ///   - shape: of one of its samples.
  /// - Throws: `FileError` if it does not.
  public func check(path: String, fingerprint: String, shape: [Int]) throws(FileError) {
    guard origin.model == fingerprint else {
      throw FileError(
        .unsupported, path: path,
        problem:
          "was learned for another model (its fingerprint is \(origin.model), not \(fingerprint))",
        advice: "learn one for this model with attune noise optimize")
    }
    guard prior.shape == shape else {
      throw FileError(
        .unsupported, path: path,
        problem: "is for noise of shape \(prior.shape), not \(shape)",
        advice: "generate in the size that it was learned with")
    }
  }
}
