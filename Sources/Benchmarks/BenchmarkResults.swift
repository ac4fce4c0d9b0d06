import Foundation
import Tensors

/// What a run of benchmarks measured, as JSON: `Benchmarks --json FILE` writes it, and
/// `Benchmarks compare OLD NEW` puts two side by side.
struct BenchmarkResults: Codable {
  /// The processor's model name, as the system gives it.
  var processor: String
  /// Threads of the worker pool.
  var threads: Int
  /// The median of each case in milliseconds.
  var milliseconds: [String: Double] = [:]
  /// The same of what it was compared with, under `case/variant`, where it was.
  var peers: [String: Double]?

  /// Nothing measured yet, on this machine.
  static var here: BenchmarkResults {
    let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let name = lines.split(separator: "\n").first { $0.hasPrefix("model name") }
      .flatMap { $0.split(separator: ":").last }
    return BenchmarkResults(
      processor: name?.trimmingCharacters(in: .whitespaces) ?? "unknown",
      threads: WorkerPool.shared.threadCount)
  }

  init(processor: String, threads: Int) {
    self.processor = processor
    self.threads = threads
  }

  init(path: String) throws {
    self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: URL(filePath: path)))
  }

  func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try encoder.encode(self).write(to: URL(filePath: path), options: .atomic)
  }

  /// A table of the cases that both have, and a line for each that only one has.
  func table(against old: BenchmarkResults) -> String {
    var lines = [
      "old: \(old.processor), \(old.threads) threads; new: \(processor), \(threads) threads", "",
      "| what | old ms | new ms | old / new |", "| --- | ---: | ---: | ---: |",
    ]
    for (name, before) in old.milliseconds.sorted(by: { $0.key < $1.key }) {
      guard let now = milliseconds[name] else { continue }
      lines.append(String(format: "| %@ | %.3f | %.3f | %.2fx |", name, before, now, before / now))
    }
    let alone = Set(old.milliseconds.keys).symmetricDifference(milliseconds.keys).sorted()
    if !alone.isEmpty { lines += ["", "in one file only: \(alone.joined(separator: ", "))"] }
    return lines.joined(separator: "\n")
  }
}
