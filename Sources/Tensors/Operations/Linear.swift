import CKernels

extension Tensor {
  /// `activation(x weight^T + bias + residual)`: a linear layer, what is added to it and its
  /// activation in one pass.
  ///
  /// - Parameters:
  ///   - weight: `[out, in]`, as in `torch.nn.Linear`.
  ///   - bias: `[out]`.
  ///   - residual: `[..., out]`, where the sums begin.
  ///   - activation: applied to the sum.
  /// - Returns: `[..., out]` for an input of shape `[..., in]`.
  public func linear(
    weight: Tensor, bias: Tensor? = nil, adding residual: Tensor? = nil,
    activation: Activation = .identity
  ) -> Tensor {
    precondition(
      weight.rank == 2 && rank >= 1 && size(-1) == weight.shape[1],
      "linear: input \(shape) and weight \(weight.shape) do not fit")
    let (columns, inner) = (weight.shape[0], weight.shape[1])
    precondition(
      bias.map { $0.shape == [columns] } ?? true,
      "linear: bias \(bias?.shape ?? []) does not fit weight \(weight.shape)")
    // Not by dividing counts: rows without inputs still get the bias.
    let rows = shape.dropLast().reduce(1, *)
    let (x, w) = (detached(), weight.detached())
    let inputs = [self, weight] + [bias, residual].compactMap { $0 }
    let isRecorded = inputs.contains { $0.node != nil }
    // A rectifier's derivative can be read off its result, so that one buffer is enough.
    let keepsSum = isRecorded && activation != .relu && activation != .identity
    let resultShape = Array(shape.dropLast()) + [columns]
    precondition(
      residual.map { $0.shape == resultShape } ?? true,
      "linear: residual \(residual?.shape ?? []) does not fit the result \(resultShape)")
    let sum = keepsSum ? Tensor(shape: resultShape) { _ in } : nil
    let result = Tensor(shape: resultShape) { result in
      guard let elements = result.baseAddress, !result.isEmpty else { return }
      let kept = w.keptPacked(.transposed)
      x.withUnsafeElements { x in
        bias.withUnsafeElements { bias in
          let left = MatrixProducts.Matrix(x.baseAddress ?? UnsafePointer(elements), width: inner)
          let target = sum?.pointer ?? elements
          residual?.withUnsafeElements { target.update(from: $0.baseAddress!, count: $0.count) }
          let accumulates = residual != nil
          let epilogue = activation.kernel.map {
            MatrixProducts.Epilogue(kernel: $0, result: elements)
          }
          if kept == nil && w.count > MatrixProducts.maxTransientCount {
            w.withUnsafeElements { w in
              let right = MatrixProducts.Matrix(w.baseAddress!, width: inner).transposed
              MatrixProducts.multiply(
                left, packing: right, rows: rows, inner: inner, columns: columns, bias: bias,
                into: target, accumulates: accumulates, epilogue: epilogue)
            }
          } else {
            MatrixProducts.multiply(
              left, kept ?? w.packed(.transposed), rows: rows, bias: bias, into: target,
              accumulates: accumulates, epilogue: epilogue)
          }
        }
      }
    }
    guard isRecorded else { return result }
    // The input is needed for the weight's gradient alone.
    let keptInput = weight.node == nil ? nil : x
    return result.recorded(from: inputs) {
      [node, weightNode = weight.node, biasNode = bias?.node, residualNode = residual?.node]
      upstream, accumulator in
      let gradient =
        activation.kernel.map {
          Tensor.unaryGradient($0, source: sum ?? result, result: result, upstream: upstream)
        } ?? upstream
      if let keptInput {
        accumulator.accumulate(into: weightNode, shape: w.shape) { sum, accumulates in
          Tensor.accumulateOuterProducts(
            gradient, keptInput, into: sum, accumulates: accumulates)
        }
      }
      accumulator.accumulate(into: biasNode, shape: [columns]) { sum, accumulates in
        gradient.withUnsafeElements {
          attune_sum_rows(rows, columns, $0.baseAddress, sum, accumulates ? 1 : 0)
        }
      }
      accumulator.add(gradient.multiplied(by: w, .asStored), to: node)
      accumulator.add(gradient, to: residualNode)
    }
  }
}

extension Optional where Wrapped == Tensor {
  /// Calls `body` with the first element, or nil without a tensor.
  func withUnsafeElements<Result>(
    _ body: (UnsafePointer<Float>?) throws -> Result
  ) rethrows -> Result {
    guard let self else { return try body(nil) }
    return try self.withUnsafeElements { try body($0.baseAddress) }
  }
}
