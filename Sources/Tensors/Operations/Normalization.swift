import CKernels

extension Tensor {
  /// The softmax along the last dimension.
  public func softmax() -> Tensor {
    let width = size(-1)
    let rows = count / max(width, 1)
    let result = rowwise(width) { range, x, y in attune_softmax(range, width, x, y) }
    return result.recorded(from: self) { [node] upstream, accumulator in
      accumulator.add(
        result.rowwise(with: upstream, rows: rows, attune_softmax_backward), to: node)
    }
  }

  /// The logarithm of the softmax along the last dimension.
  public func logSoftmax() -> Tensor {
    let width = size(-1)
    let rows = count / max(width, 1)
    let result = rowwise(width) { range, x, y in attune_log_softmax(range, width, x, y) }
    return result.recorded(from: self) { [node] upstream, accumulator in
      accumulator.add(
        result.rowwise(with: upstream, rows: rows, attune_log_softmax_backward), to: node)
    }
  }

  private func rowwise(
    _ width: Int, _ kernel: (Int, UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
  ) -> Tensor {
    withUnsafeElements { x in
      Tensor(shape: shape) { result in
        guard !result.isEmpty else { return }
        Loops.overRows(result.count / width, width: width) { range in
          let first = range.lowerBound * width
          kernel(range.count, x.baseAddress! + first, result.baseAddress! + first)
        }
      }
    }
  }

  private func rowwise(
    with upstream: Tensor, rows: Int,
    _ kernel: (
      Int, Int, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?
    ) -> Void
  ) -> Tensor {
    let width = count / max(rows, 1)
    return withUnsafeElements { y in
      upstream.withUnsafeElements { up in
        Tensor(shape: shape) { result in
          guard !result.isEmpty else { return }
          Loops.overRows(rows, width: width) { range in
            let first = range.lowerBound * width
            kernel(
              range.count, width, y.baseAddress! + first, up.baseAddress! + first,
              result.baseAddress! + first)
          }
        }
      }
    }
  }

  /// Layer normalization over the last dimension (Ba et al., arXiv:1607.06450).
  ///
  /// - Parameters:
  ///   - weight: `[D]`, a scale.
  ///   - bias: `[D]`, a shift.
  ///   - epsilon: added to the variance.
  public func layerNorm(weight: Tensor?, bias: Tensor?, epsilon: Float = 1e-5) -> Tensor {
    let width = size(-1)
    for part in [weight, bias] {
      precondition(
        part.map { $0.shape == [width] } ?? true,
        "layerNorm: input \(shape) and parameter \(part?.shape ?? []) do not fit")
    }
    let rows = count / max(width, 1)
    let x = detached()
    let scale = weight?.detached()
    let statistics = TensorStorage(count: 2 * rows)
    let (means, inverses) = (statistics.elements, statistics.elements + rows)
    let result = Tensor(shape: shape) { result in
      x.withUnsafeElements { x in
        scale.withUnsafeElements { scale in
          bias.withUnsafeElements { bias in
            Loops.overRows(rows, width: width) { range in
              let first = range.lowerBound * width
              attune_layer_norm(
                range.count, width, x.baseAddress! + first, scale, bias, epsilon,
                means + range.lowerBound, inverses + range.lowerBound,
                result.baseAddress! + first)
            }
          }
        }
      }
    }
    return result.recorded(from: [self] + [weight, bias].compactMap { $0 }) {
      [node, weightNode = weight?.node, biasNode = bias?.node] upstream, accumulator in
      var weightGradient = Tensor.zeros([width])
      var biasGradient = Tensor.zeros([width])
      let gradient = Tensor(shape: upstream.shape) { gradient in
        let (means, inverses) = (statistics.elements, statistics.elements + rows)
        x.withUnsafeElements { x in
          scale.withUnsafeElements { scale in
            upstream.withUnsafeElements { upstream in
              weightGradient.withUnsafeMutableElements { weightSum in
                biasGradient.withUnsafeMutableElements { biasSum in
                  guard rows > 0 else { return }
                  attune_layer_norm_backward(
                    rows, width, x.baseAddress!, scale, means, inverses,
                    upstream.baseAddress!, gradient.baseAddress!, weightSum.baseAddress!,
                    biasSum.baseAddress!)
                }
              }
            }
          }
        }
      }
      accumulator.add(gradient, to: node)
      accumulator.add(weightGradient, to: weightNode)
      accumulator.add(biasGradient, to: biasNode)
    }
  }

  /// Group normalization with channels last (Wu and He, arXiv:1803.08494), optionally followed by
  /// SiLU.
  ///
  /// - Parameters:
  ///   - groupCount: divides the channels, the last dimension; the first one is the batch.
  ///   - weight: `[C]`, a scale.
  ///   - bias: `[C]`, a shift.
  ///   - epsilon: added to the variance.
  ///   - appliesSiLU: applies x sigmoid(x) to the result in the same pass.
  public func groupNorm(
    groupCount: Int, weight: Tensor?, bias: Tensor?, epsilon: Float = 1e-5,
    appliesSiLU: Bool = false
  ) -> Tensor {
    precondition(rank >= 2, "groupNorm: an input of shape \(shape) has no channels")
    let (batch, channels) = (shape[0], size(-1))
    precondition(
      groupCount > 0 && channels % groupCount == 0,
      "groupNorm: \(groupCount) groups do not divide the channels of shape \(shape)")
    for part in [weight, bias] {
      precondition(
        part.map { $0.shape == [channels] } ?? true,
        "groupNorm: input \(shape) and parameter \(part?.shape ?? []) do not fit")
    }
    let itemSize = count / max(batch, 1)
    let positions = itemSize / max(channels, 1)
    let x = detached()
    let (scale, shift) = (weight?.detached(), bias?.detached())
    let statistics = TensorStorage(count: 2 * batch * groupCount)
    let result = Tensor(shape: shape) { result in
      guard !result.isEmpty else { return }
      let (means, inverses) = (statistics.elements, statistics.elements + batch * groupCount)
      x.withUnsafeElements { x in
        scale.withUnsafeElements { scale in
          shift.withUnsafeElements { shift in
            WorkerPool.shared.forEach(batch) { item in
              attune_group_norm(
                positions, channels, groupCount, x.baseAddress! + item * itemSize, scale,
                shift, epsilon, appliesSiLU, means + item * groupCount,
                inverses + item * groupCount, result.baseAddress! + item * itemSize)
            }
          }
        }
      }
    }
    return result.recorded(from: [self] + [weight, bias].compactMap { $0 }) {
      [node, weightNode = weight?.node, biasNode = bias?.node] upstream, accumulator in
      // One row of sums for each item, added in order afterwards whatever the number of workers.
      var sums = Tensor.zeros([2, batch, channels])
      let gradient = Tensor(shape: upstream.shape) { gradient in
        let (means, inverses) = (statistics.elements, statistics.elements + batch * groupCount)
        x.withUnsafeElements { x in
          scale.withUnsafeElements { scale in
            shift.withUnsafeElements { shift in
              upstream.withUnsafeElements { upstream in
                sums.withUnsafeMutableElements { sums in
                  WorkerPool.shared.forEach(batch) { item in
                    attune_group_norm_backward(
                      positions, channels, groupCount, x.baseAddress! + item * itemSize,
                      scale, shift, means + item * groupCount, inverses + item * groupCount,
                      appliesSiLU, upstream.baseAddress! + item * itemSize,
                      gradient.baseAddress! + item * itemSize,
                      sums.baseAddress! + item * channels,
                      sums.baseAddress! + (batch + item) * channels)
                  }
                }
              }
            }
          }
        }
      }
      let totals = sums.summedOverMiddle()
      accumulator.add(gradient, to: node)
      accumulator.add(totals[0], to: weightNode)
      accumulator.add(totals[1], to: biasNode)
    }
  }
}
