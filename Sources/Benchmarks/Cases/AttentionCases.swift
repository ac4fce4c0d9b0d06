import Tensors

private func attentionCase(
  batch: Int, heads: Int, tokens: Int, headSize: Int, trains: Bool
) -> BenchmarkCase {
  let forward = 4.0 * Double(batch * heads * tokens * tokens * headSize)
  let name = "\(batch)x\(heads)x\(tokens)x\(headSize)"
  return BenchmarkCase(
    name: "attention-\(trains ? "train-" : "")\(name)",
    operationCount: trains ? 3.5 * forward : forward
  ) {
    return { random in
      let shape = [batch, tokens, heads * headSize]
      let (q, k, v) = (random.normal(shape), random.normal(shape), random.normal(shape))
      guard trains else {
        return { consume(q.attention(keys: k, values: v, headCount: heads)) }
      }
      let upstream = random.normal(shape)
      return {
        let (q, k, v) = (q.tracked(), k.tracked(), v.tracked())
        let gradients = gradients(of: upstream) {
          q.attention(keys: k, values: v, headCount: heads)
        }
        consume(gradients[q], gradients[k], gradients[v])
      }
    }
  }
}

private func groupNormCase(trains: Bool) -> BenchmarkCase {
  BenchmarkCase(
    name: "groupnorm-silu-\(trains ? "train-" : "")8x64x32x32", operationCount: nil
  ) {
    var weights = RandomStream(seed: 3, purpose: "weights")
    let (weight, bias) = (weights.normal([64]), weights.normal([64]))
    return { random in
      let x = random.normal([8, 32, 32, 64])
      let upstream = random.normal(x.shape)
      guard trains else {
        return {
          consume(x.groupNorm(groupCount: 32, weight: weight, bias: bias, appliesSiLU: true))
        }
      }
      return {
        let (x, weight, bias) = (x.tracked(), weight.tracked(), bias.tracked())
        let gradients = gradients(of: upstream) {
          x.groupNorm(groupCount: 32, weight: weight, bias: bias, appliesSiLU: true)
        }
        consume(gradients[x], gradients[weight], gradients[bias])
      }
    }
  }
}

extension BenchmarkCase {
  static var attentionsAndNorms: [BenchmarkCase] {
    [
      attentionCase(batch: 1, heads: 8, tokens: 4096, headSize: 40, trains: false),
      attentionCase(batch: 16, heads: 4, tokens: 256, headSize: 32, trains: false),
      attentionCase(batch: 1, heads: 8, tokens: 4096, headSize: 40, trains: true),
      attentionCase(batch: 16, heads: 4, tokens: 256, headSize: 32, trains: true),
      groupNormCase(trains: false),
      groupNormCase(trains: true),
    ]
  }
}
