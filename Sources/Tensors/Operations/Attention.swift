import CKernels

extension Tensor {
  /// Scaled dot-product attention, softmax(q k^T scale) v for each head, computed in blocks so that
  /// memory grows with the number of tokens and not with its square.
  ///
  /// - Parameters:
  ///   - keys: `[B, Lk, headCount * size]`; heads lie side by side in the last dimension.
  ///   - values: `[B, Lk, headCount * size]`.
  ///   - headCount: divides the width.
  ///   - scale: 1 / sqrt(size) unless given.
  ///   - isCausal: token i sees keys 0 ... i only.
  /// - Returns: `[B, Lq, headCount * size]` for queries of that shape.
  public func attention(
    keys: Tensor, values: Tensor, headCount: Int, scale: Float? = nil, isCausal: Bool = false
  ) -> Tensor {
    let heads = AttentionHeads(
      query: detached(), key: keys.detached(), value: values.detached(), headCount: headCount,
      scale: scale, isCausal: isCausal)
    let isRecorded = node != nil || keys.node != nil || values.node != nil
    let logSums = isRecorded ? TensorStorage(count: heads.logSumCount) : nil
    let result = Tensor(shape: shape) { heads.forward($0.baseAddress!, logSums: logSums) }
    guard let logSums else { return result }
    return result.recorded(from: self, keys, values) {
      [node, keyNode = keys.node, valueNode = values.node] upstream, accumulator in
      let gradients = heads.backward(result: result, logSums: logSums, upstream: upstream)
      accumulator.add(gradients.query, to: node)
      accumulator.add(gradients.key, to: keyNode)
      accumulator.add(gradients.value, to: valueNode)
    }
  }
}

/// The operands of one attention, cut into heads.
private struct AttentionHeads: Sendable {
  let query: Tensor
  let key: Tensor
  let value: Tensor
  let batchSize: Int
  let queryCount: Int
  let keyCount: Int
  let width: Int
  let headCount: Int
  let headSize: Int
  let scale: Float
  let isCausal: Bool
  /// What both products run on, forward and backward.
  let kernel = MatrixKernel.current
  /// Queries that one task takes: enough to make up for its copies of keys and values, few enough
  /// to keep all workers busy.
  private let queriesPerTask = 256

  init(
    query: Tensor, key: Tensor, value: Tensor, headCount: Int, scale: Float?, isCausal: Bool
  ) {
    precondition(
      query.rank == 3 && key.rank == 3 && key.shape == value.shape
        && query.shape[0] == key.shape[0] && query.shape[2] == key.shape[2]
        && headCount > 0 && query.shape[2] % headCount == 0,
      """
      attention: query \(query.shape), key \(key.shape) and value \(value.shape) do not fit \
      \(headCount) heads
      """)
    self.query = query
    self.key = key
    self.value = value
    self.headCount = headCount
    self.isCausal = isCausal
    batchSize = query.shape[0]
    queryCount = query.shape[1]
    keyCount = key.shape[1]
    width = query.shape[2]
    headSize = width / headCount
    self.scale = scale ?? 1 / Float(headSize).squareRoot()
  }

  var logSumCount: Int { batchSize * headCount * queryCount }

  private func head(_ index: Int) -> attune_attention_head {
    let (item, head) = (index / headCount, index % headCount)
    return attune_attention_head(
      kernel: kernel.number, query_count: queryCount, key_count: keyCount, head_size: headSize,
      query: query.pointer + item * queryCount * width + head * headSize,
      key: key.pointer + item * keyCount * width + head * headSize,
      value: value.pointer + item * keyCount * width + head * headSize, query_stride: width,
      key_stride: width, value_stride: width, scale: scale, is_causal: isCausal)
  }

  private func offset(ofHead index: Int, tokenCount: Int) -> Int {
    index / headCount * tokenCount * width + index % headCount * headSize
  }

  /// Small heads and few keys, such as the frames of a clip, have a kernel of their own, which is in
  /// 32-bit floats whatever the precision.
  private var isShort: Bool {
    keyCount <= Int(attune_short_attention_key_limit)
      && headSize <= Int(attune_short_attention_size_limit)
  }

  /// Runs a kernel for all heads, so many at a time that a task is worth its start.
  private func forEachShortRange(
    _ body: (_ heads: inout attune_short_attention_heads, _ first: Int, _ count: Int) -> Void
  ) {
    let (headsPerTask, total) = (64, batchSize * headCount)
    WorkerPool.shared.forEach((total + headsPerTask - 1) / headsPerTask) { task in
      var heads = attune_short_attention_heads(
        query_count: queryCount, key_count: keyCount, head_count: headCount, head_size: headSize,
        query: query.pointer, key: key.pointer, value: value.pointer, scale: scale,
        is_causal: isCausal)
      let first = task * headsPerTask
      body(&heads, first, min(headsPerTask, total - first))
    }
    withExtendedLifetime((query, key, value)) {}
  }

  func forward(_ result: UnsafeMutablePointer<Float>, logSums: TensorStorage?) {
    if isShort {
      forEachShortRange { heads, first, count in
        attune_short_attention(&heads, first, count, result, logSums?.elements)
      }
      return
    }
    let tasksPerHead = (queryCount + queriesPerTask - 1) / queriesPerTask
    WorkerPool.shared.forEach(batchSize * headCount * tasksPerHead) { task in
      let index = task / tasksPerHead
      let start = task % tasksPerHead * queriesPerTask
      let count = min(queriesPerTask, queryCount - start)
      let scratch = TensorStorage(
        count: attune_attention_scratch_size(kernel.number, count, headSize))
      var head = head(index)
      attune_attention(
        &head, start, count, scratch.elements,
        result + offset(ofHead: index, tokenCount: queryCount), width,
        logSums.map { $0.elements + index * queryCount })
    }
    withExtendedLifetime((query, key, value)) {}
  }

  /// Gradients at query, key and value.
  func backward(
    result: Tensor, logSums: TensorStorage, upstream: Tensor
  ) -> (query: Tensor, key: Tensor, value: Tensor) {
    if isShort { return shortBackward(result: result, logSums: logSums, upstream: upstream) }
    var gradients = (
      query: Tensor.zeros(query.shape), key: Tensor.zeros(key.shape),
      value: Tensor.zeros(value.shape)
    )
    gradients.query.withUnsafeMutableElements { queryGradient in
      gradients.key.withUnsafeMutableElements { keyGradient in
        gradients.value.withUnsafeMutableElements { valueGradient in
          WorkerPool.shared.forEach(batchSize * headCount) { index in
            backward(
              head: index, result: result, logSums: logSums, upstream: upstream,
              queryGradient.baseAddress!, keyGradient.baseAddress!, valueGradient.baseAddress!)
          }
        }
      }
    }
    return gradients
  }

  private func shortBackward(
    result: Tensor, logSums: TensorStorage, upstream: Tensor
  ) -> (query: Tensor, key: Tensor, value: Tensor) {
    var (keyGradient, valueGradient) = (Tensor.zeros(key.shape), Tensor.zeros(value.shape))
    let queryGradient = Tensor(shape: query.shape) { queryGradient in
      keyGradient.withUnsafeMutableElements { keyGradient in
        valueGradient.withUnsafeMutableElements { valueGradient in
          forEachShortRange { heads, first, count in
            attune_short_attention_backward(
              &heads, first, count, result.pointer, logSums.elements, upstream.pointer,
              queryGradient.baseAddress!, keyGradient.baseAddress!, valueGradient.baseAddress!)
          }
        }
      }
    }
    withExtendedLifetime((result, upstream)) {}
    return (queryGradient, keyGradient, valueGradient)
  }

  private func backward(
    head index: Int, result: Tensor, logSums: TensorStorage, upstream: Tensor,
    _ queryGradient: UnsafeMutablePointer<Float>, _ keyGradient: UnsafeMutablePointer<Float>,
    _ valueGradient: UnsafeMutablePointer<Float>
  ) {
    // The kernel adds to dense blocks of one head, copied into place afterwards.
    let scratch = TensorStorage(
      count: attune_attention_backward_scratch_size(kernel.number, headSize))
    let sums = TensorStorage(count: (queryCount + 2 * keyCount) * headSize)
    sums.elements.update(repeating: 0, count: sums.count)
    let querySums = sums.elements
    let keySums = querySums + queryCount * headSize
    let valueSums = keySums + keyCount * headSize
    let queryOffset = offset(ofHead: index, tokenCount: queryCount)
    let keyOffset = offset(ofHead: index, tokenCount: keyCount)
    var head = head(index)
    attune_attention_backward(
      &head, result.pointer + queryOffset, width, logSums.elements + index * queryCount,
      upstream.pointer + queryOffset, width, scratch.elements, querySums, keySums, valueSums)
    copyRows(querySums, count: queryCount, to: queryGradient + queryOffset)
    copyRows(keySums, count: keyCount, to: keyGradient + keyOffset)
    copyRows(valueSums, count: keyCount, to: valueGradient + keyOffset)
    withExtendedLifetime((query, key, value, result, upstream)) {}
  }

  private func copyRows(
    _ rows: UnsafePointer<Float>, count: Int, to target: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<count {
      (target + row * width).update(from: rows + row * headSize, count: headSize)
    }
  }
}
