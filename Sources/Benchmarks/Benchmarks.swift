import Foundation
import Tensors

/// Times Attune's kernels: a table of medians, or single runs on request for a paired comparison.
@main
enum Benchmarks {
  static var cases: [BenchmarkCase] {
    [Baseline.benchmark] + BenchmarkCase.policies + BenchmarkCase.convolutions
      + BenchmarkCase.attentionsAndNorms + BenchmarkCase.denoisingSteps
      + BenchmarkCase.decisions + BenchmarkCase.environments + BenchmarkCase.videos
      + BenchmarkCase.textToImage + BenchmarkCase.textToVideo
  }

  static func main() throws {
    var arguments = Array(CommandLine.arguments.dropFirst())
    if let index = arguments.firstIndex(of: "--threads"), index + 1 < arguments.count {
      guard let count = Int(arguments[index + 1]), count > 0 else {
        fail("--threads needs a positive number, not '\(arguments[index + 1])'")
      }
      WorkerPool.shared.threadCount = count
      arguments.removeSubrange(index...(index + 1))
    }
    var precision = Precision.highest
    if let index = arguments.firstIndex(of: "--precision"), index + 1 < arguments.count {
      guard let chosen = Precision(rawValue: arguments[index + 1]) else {
        fail("--precision is highest, high or medium, not '\(arguments[index + 1])'")
      }
      precision = chosen
      arguments.removeSubrange(index...(index + 1))
    }
    if arguments == ["kernels"] { return printKernels() }
    if arguments == ["serve"] { return serve() }
    if arguments.first == "dppo-iteration" {
      guard let count = Int(arguments.dropFirst().first ?? "500"), count > 0 else {
        fail("dppo-iteration needs a positive number of decisions, not '\(arguments[1])'")
      }
      return try withPrecision(precision) { try DPPOIteration.serve(rolloutSteps: count) }
    }
    if arguments.first == "compare" {
      guard arguments.count == 3 else { fail("compare needs two files of --json") }
      let (old, new) = (
        try BenchmarkResults(path: arguments[1]), try BenchmarkResults(path: arguments[2])
      )
      return print(new.table(against: old))
    }
    var jsonPath: String?
    if let index = arguments.firstIndex(of: "--json"), index + 1 < arguments.count {
      jsonPath = arguments[index + 1]
      arguments.removeSubrange(index...(index + 1))
    }
    if arguments == ["list"] { return cases.forEach { print($0.name) } }
    let chosen = cases.filter { benchmark in
      arguments.isEmpty || arguments.contains { benchmark.name.contains($0) }
    }
    if chosen.isEmpty { fail("no benchmark's name contains \(arguments); try 'list'") }
    let results = withPrecision(precision) { printTable(chosen) }
    if let jsonPath { try results.write(to: jsonPath) }
  }

  private static func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("benchmarks: \(message)\n".utf8))
    exit(2)
  }

  private static func seconds(_ run: () -> Void) -> Double {
    let clock = ContinuousClock()
    let duration = clock.measure(run)
    return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }

  private static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// Median seconds of several runs after a warm-up, for about two seconds.
  private static func measure(_ benchmark: BenchmarkCase) -> Double {
    let prepare = benchmark.prepare()
    var random = RandomStream(seed: 7, purpose: benchmark.name)
    let warmUp = seconds(prepare(&random))
    let runCount = max(5, min(51, Int(2 / max(warmUp, 1e-6))))
    return median((0..<runCount).map { _ in seconds(prepare(&random)) })
  }

  private static func printTable(_ chosen: [BenchmarkCase]) -> BenchmarkResults {
    var results = BenchmarkResults.here
    let baseline = (Baseline.benchmark.operationCount ?? 0) / measure(Baseline.benchmark)
    print(
      """
      \(WorkerPool.shared.threadCount) threads; \(Precision.current.note); sgemm (OpenBLAS, 1024) \
      \(String(format: "%.1f", baseline * 1e-9)) GF/s

      | what | median ms | rate | fraction of sgemm |
      | --- | ---: | ---: | ---: |
      """)
    for benchmark in chosen where benchmark.name != Baseline.benchmark.name {
      let time = measure(benchmark)
      results.milliseconds[benchmark.name] = time * 1e3
      let milliseconds = String(format: "%.3f", time * 1e3)
      var (rate, fraction) = ("", "")
      if let operations = benchmark.operationCount {
        rate = String(format: "%.1f GF/s", operations / time * 1e-9)
        fraction = String(format: "%.0f%%", 100 * operations / time / baseline)
      } else if let items = benchmark.items {
        rate = String(format: "%.0f ", Double(items.count) / time) + items.name + "/s"
      }
      print("| \(benchmark.name) | \(milliseconds) | \(rate) | \(fraction) |")
    }
    return results
  }

  /// What each precision is computed by, as JSON.
  private static func printKernels() {
    let names = Precision.allCases.map { "\"\($0.rawValue)\": \"\($0.kernelName)\"" }
    print("{\(names.joined(separator: ", "))}")
  }

  /// Runs the case named on each line of standard input once, as in `policy-40x20@medium` where not
  /// in `highest`, and prints its seconds.
  private static func serve() {
    // Not closures themselves: one that goes into a dictionary and out again is wrapped each time.
    var prepared: [String: PreparedCase] = [:]
    var random = RandomStream(seed: UInt64.random(in: 0...UInt64.max), purpose: "serve")
    while let name = readLine() {
      let benchmark = prepared[name] ?? prepare(name)
      prepared[name] = benchmark
      FileHandle.standardOutput.write(Data("\(seconds(benchmark.makeRun(&random)))\n".utf8))
    }
  }

  private static func prepare(_ name: String) -> PreparedCase {
    let parts = name.split(separator: "@", maxSplits: 1).map(String.init)
    let precision = parts.count > 1 ? Precision(rawValue: parts[1]) : .highest
    guard let benchmark = cases.first(where: { $0.name == parts[0] }), let precision else {
      fail("no benchmark is named '\(name)'; try 'list'")
    }
    let makeRun = withPrecision(precision) { benchmark.prepare() }
    return PreparedCase { random in
      let run = makeRun(&random)
      return precision == .highest ? run : { withPrecision(precision, run) }
    }
  }

  private struct PreparedCase {
    let makeRun: (inout RandomStream) -> () -> Void
  }
}
