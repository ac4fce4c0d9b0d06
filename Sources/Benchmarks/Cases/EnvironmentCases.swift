import Environments
import Foundation
import PythonEnvironments
import Tensors

extension BenchmarkCase {
  /// Environment steps: 1,000 in 40 environments side by side, or 1,000 in one on one thread.
  static var environments: [BenchmarkCase] {
    ["hopper", "walker2d", "half-cheetah"].map { vectorized($0, count: 40) }
      + [vectorized("push-t", count: 50), single("push-t"), single("hopper")] + bridged
  }

  /// Hoppers of Gymnasium in processes of the Python that ATTUNE_GYMNASIUM_PYTHON names, step by
  /// step and in chunks of 4; none without it.
  private static var bridged: [BenchmarkCase] {
    guard let python = ProcessInfo.processInfo.environment["ATTUNE_GYMNASIUM_PYTHON"] else {
      return []
    }
    func make(chunk: Int) throws -> any Environment {
      var registry = EnvironmentRegistry()
      registry.register(.gymnasium)
      let hopper = try registry.make("gymnasium:Hopper-v5", ["python": python])
      return chunk == 1 ? hopper : ActionChunks(hopper, count: chunk)
    }
    return [
      vectorized("gymnasium-hopper", count: 40, stepCount: 25) { try make(chunk: 1) },
      vectorized("gymnasium-hopper-chunks", count: 40, stepCount: 24, chunk: 4) {
        try make(chunk: 4)
      },
    ]
  }

  private static func vectorized(_ name: String, count: Int) -> BenchmarkCase {
    vectorized(name, count: count, stepCount: 1000 / count) {
      try EnvironmentRegistry.standard.make(name)
    }
  }

  private static func vectorized(
    _ name: String, count: Int, stepCount: Int, chunk: Int = 1,
    make: @escaping () throws -> any Environment
  ) -> BenchmarkCase {
    BenchmarkCase(
      name: "environments-\(name)-\(count)x\(stepCount)", items: (count * stepCount, "steps")
    ) {
      let vector = required(name) {
        try LocalVectorEnvironment(count: count, seed: 1, make: make)
      }
      return { random in
        let actions = (0..<stepCount / chunk).map { _ in
          scaled(&random, [count], to: vector.actionSpace)
        }
        return { required(name) { for action in actions { try vector.step(action) } } }
      }
    }
  }

  private static func single(_ name: String) -> BenchmarkCase {
    BenchmarkCase(name: "environment-\(name)-1000", items: (1000, "steps")) {
      let environment = required(name) {
        let environment = try EnvironmentRegistry.standard.make(name)
        try environment.reset(seed: 1)
        return environment
      }
      var seed: UInt64 = 1
      return { random in
        let actions = scaled(&random, [1000], to: environment.actionSpace)
        return {
          let size = environment.actionSpace.count
          required(name) {
            try actions.withUnsafeElements { actions in
              for start in stride(from: 0, to: actions.count, by: size) {
                let action = UnsafeBufferPointer(rebasing: actions[start..<start + size])
                if try environment.step(action).isFinished {
                  seed += 1
                  try environment.reset(seed: seed)
                }
              }
            }
          }
        }
      }
    }
  }

  /// What a benchmark cannot go on without.
  private static func required<Result>(_ name: String, _ body: () throws -> Result) -> Result {
    do {
      return try body()
    } catch {
      preconditionFailure("environment '\(name)': \(error)")
    }
  }

  /// Uniform draws from a space with the same bounds for all elements.
  private static func scaled(
    _ random: inout RandomStream, _ leading: [Int], to space: BoxSpace
  ) -> Tensor {
    random.uniform(leading + space.shape, in: space.lowerBounds[0]..<space.upperBounds[0])
  }
}
