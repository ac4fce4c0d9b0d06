import CKernels

extension Tensor {
  /// The logarithm of a normal density at every element: -(x - mean)^2 / (2 standard deviation^2)
  /// - ln standard deviation - ln(2 pi) / 2.
  ///
  /// - Parameters:
  ///   - mean: broadcast to this tensor's shape.
  ///   - standardDeviation: positive; broadcast to this tensor's shape.
  public func gaussianLogDensity(mean: Tensor, standardDeviation: Tensor) -> Tensor {
    let shape = self.shape
    let (x, m, s) = (
      detached(), mean.detached().broadcast(to: shape),
      standardDeviation.detached().broadcast(to: shape)
    )
    let result = x.withUnsafeElements { x in
      m.withUnsafeElements { m in
        s.withUnsafeElements { s in
          Tensor(shape: shape) { result in
            Loops.overElements(result.count) { range in
              let first = range.lowerBound
              attune_gaussian_log_density(
                range.count, x.baseAddress! + first, m.baseAddress! + first,
                s.baseAddress! + first, result.baseAddress! + first)
            }
          }
        }
      }
    }
    let (meanOperand, stdOperand) = (
      GradientOperand(mean), GradientOperand(standardDeviation)
    )
    return result.recorded(from: self, mean, standardDeviation) { [node] up, accumulator in
      func gradient(
        _ kernel: (
          Int, Int, UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>,
          UnsafePointer<Float>, UnsafeMutablePointer<Float>
        ) -> Void
      ) -> Tensor {
        x.withUnsafeElements { x in
          m.withUnsafeElements { m in
            s.withUnsafeElements { s in
              up.withUnsafeElements { up in
                Tensor(shape: shape) { result in
                  Loops.overElements(result.count) { range in
                    kernel(
                      range.lowerBound, range.count, x.baseAddress!, m.baseAddress!,
                      s.baseAddress!, up.baseAddress!, result.baseAddress!)
                  }
                }
              }
            }
          }
        }
      }
      accumulator.add(
        gradient { i, count, x, m, s, up, result in
          attune_gaussian_log_density_backward(
            count, x + i, m + i, s + i, up + i, result + i, nil, nil)
        }, to: node)
      accumulator.add(
        gradient { i, count, x, m, s, up, result in
          attune_gaussian_log_density_backward(
            count, x + i, m + i, s + i, up + i, nil, result + i, nil)
        }, toBroadcast: meanOperand)
      accumulator.add(
        gradient { i, count, x, m, s, up, result in
          attune_gaussian_log_density_backward(
            count, x + i, m + i, s + i, up + i, nil, nil, result + i)
        }, toBroadcast: stdOperand)
    }
  }
}
