import Diffusion
import Tensors

extension UNet2DConditionModel {
  /// The prediction for a batch, in shards that one worker each takes from start to end; not
  /// recorded.
  ///
  /// Where there are too few rows for the workers, the operations themselves are split.
  func sharded(
    _ sample: Tensor, timeSteps: Rowwise<Float>, context: PromptContext
  ) -> Tensor {
    let count = sample.shape[0]
    let workers = WorkerPool.shared.threadCount
    guard workers > 1, count % workers == 0 || count >= 4 * workers else {
      return self(sample, timeSteps: timeSteps, context: context)
    }
    // About a megabyte for each of the finest block's activations.
    let rowSize = sample.shape[1] * sample.shape[2] * configuration.blockChannels[0]
    let fairShare = (count + workers - 1) / workers
    let shardSize = min(fairShare, max(1, (1 << 18) / rowSize))
    return shardedMap(count: count, shardSize: shardSize) { rows in
      let times: Rowwise<Float> =
        switch timeSteps {
        case .shared: timeSteps
        case .perRow(let values): .perRow(Array(values[rows]))
        }
      return self(sample.slice(rows), timeSteps: times, context: context.slice(rows))
    }
  }
}
