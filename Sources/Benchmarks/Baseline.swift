import COpenBLAS
import Tensors

/// The machine's own rate of single-precision matrix products: OpenBLAS on all processors.
enum Baseline {
  private static let size = 1024

  static var benchmark: BenchmarkCase {
    BenchmarkCase(
      name: "sgemm-\(size)", operationCount: 2 * Double(size * size * size)
    ) {
      openblas_set_num_threads(Int32(WorkerPool.shared.threadCount))
      let width = Int32(size)
      return { random in
        let (a, b) = (
          random.normal([size, size]).elements, random.normal([size, size]).elements
        )
        var c = [Float](repeating: 0, count: a.count)
        return {
          cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, width, width, width, 1, a, width, b,
            width, 0, &c, width)
        }
      }
    }
  }
}
