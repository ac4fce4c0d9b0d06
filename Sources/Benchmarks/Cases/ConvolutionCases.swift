import Tensors

private struct ConvolutionSize {
  let batch: Int
  let side: Int
  let channels: Int

  var name: String { "\(batch)x\(side)x\(side)-\(channels)" }
  var operationCount: Double { Double(batch * side * side * channels * channels * 9 * 2) }

  func inputs(_ random: inout RandomStream) -> (x: Tensor, weight: Tensor, bias: Tensor) {
    (
      random.normal([batch, side, side, channels]),
      random.normal([channels, channels, 3, 3], standardDeviation: 0.05),
      random.normal([channels])
    )
  }
}

private let sizes = [
  ConvolutionSize(batch: 8, side: 32, channels: 64),
  ConvolutionSize(batch: 8, side: 16, channels: 128),
  ConvolutionSize(batch: 1, side: 64, channels: 320),
  ConvolutionSize(batch: 1, side: 512, channels: 128),
]

/// Forward passes keep their weight, as at inference; training passes get a new one each time.
extension BenchmarkCase {
  static var convolutions: [BenchmarkCase] {

    sizes.map { size in
      BenchmarkCase(name: "conv3x3-\(size.name)", operationCount: size.operationCount) {
        var weights = RandomStream(seed: 2, purpose: "weights")
        let (_, weight, bias) = size.inputs(&weights)
        return { random in
          let x = size.inputs(&random).x
          return { consume(x.convolved2D(weight: weight, bias: bias, padding: 1)) }
        }
      }
    }
      + sizes.map { size in
        BenchmarkCase(name: "conv3x3-train-\(size.name)", operationCount: 3 * size.operationCount) {
          return { random in
            let (x, weight, bias) = size.inputs(&random)
            let upstream = random.normal(x.shape)
            return {
              let (x, weight, bias) = (x.tracked(), weight.tracked(), bias.tracked())
              let gradients = gradients(of: upstream) {
                x.convolved2D(weight: weight, bias: bias, padding: 1)
              }
              consume(gradients[x], gradients[weight], gradients[bias])
            }
          }
        }
      }
  }
}
