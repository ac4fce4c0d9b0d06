import NeuralNetworks
import Tensors

/// What tests of networks and the scripts that made their goldens draw alike.
public enum GoldenNetworks {
  /// The generator of the inputs.
  public static var inputs: TorchRandom { TorchRandom(seed: 11) }

  /// Draws weights as the script does: in the order of their names, but for those that are not
  /// learned.
  ///
  /// - Parameters:
  ///   - module: gets them.
  ///   - isDrawn: whether a name is among those that the script drew; all unless given.
  ///   - scriptName: what the script calls it; the same unless given.
  public static func drawWeights(
    _ module: any Module, where isDrawn: (_ name: String) -> Bool = { _ in true },
    scriptName: (_ name: String) -> String = { $0 }
  ) {
    var random = TorchRandom(seed: 7)
    for (name, parameter) in module.parameters.sorted(by: {
      scriptName($0.name) < scriptName($1.name)
    })
    where parameter.isTrainable && isDrawn(name) {
      let shape = parameter.value.shape
      let values = random.normal(shape)
      if shape.count > 1 {
        let fanIn = shape.dropFirst().reduce(1, *)
        parameter.value = values * Float(1 / Double(fanIn).squareRoot())
      } else {
        parameter.value = values * 0.1 + (name.hasSuffix("weight") ? 1 : 0)
      }
    }
  }

  /// The bytes of images that a script draws from a generator.
  public static func bytes(_ shape: [Int], _ random: inout TorchRandom) -> [UInt8] {
    random.normal(shape).elements.map { number in
      let sample: Float = number * 64 + 128
      return UInt8(min(max(sample, 0), 255))
    }
  }
}
