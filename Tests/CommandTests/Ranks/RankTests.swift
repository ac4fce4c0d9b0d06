import Foundation
import TestSupport
import Testing

/// Commands that several processes work on: `mpirun -n P attune ...` gives the bytes of one process.
@Suite(.serialized, .enabled(if: Attune.hasRanks, "needs mpirun: apt-get install openmpi-bin"))
struct RankTests {
  @Test(arguments: TinyTraining.ranked)
  func severalRanksTrainAsOne(_ training: TinyTraining) throws {
    let folder = try training.makeFolder()
    let alone = try Attune.run(training.start("alone"), in: folder)
    #expect(alone.status == 0, "\(alone.output)")
    let expected = try training.result(folder.file("alone"))
    for ranks in [2, 4] {
      let outcome = try Attune.run(ranks: ranks, training.start("ranks\(ranks)"), in: folder)
      #expect(outcome.status == 0, "\(outcome.output)")
      #expect(try training.result(folder.file("ranks\(ranks)")) == expected, "\(ranks) ranks")
    }
  }

  /// Killed as four ranks, and gone on with as one, as two, or the other way round.
  @Test(arguments: TinyTraining.ranked)
  func runsGoOnWithAnyNumberOfRanks(_ training: TinyTraining) throws {
    let folder = try training.makeFolder()
    let alone = try Attune.run(training.start("alone"), in: folder)
    #expect(alone.status == 0, "\(alone.output)")
    let expected = try training.result(folder.file("alone"))
    for (first, second) in [(4, 1), (1, 2), (2, 4)] {
      let name = "from\(first)to\(second)"
      let path = folder.file(name)
      let start = try Attune.start(ranks: first, training.start(name), in: folder)
      try start.wait { !TinyTraining.checkpoints(path).isEmpty }
      try start.send(SIGKILL, toRank: first - 1)
      let end = try start.finish()
      let wasCut = end.status != 0
      let resumed = try Attune.run(ranks: second, training.resume(name), in: folder)
      #expect(resumed.status == 0, "\(resumed.output)")
      #expect(try training.result(path) == expected, "\(name), cut: \(wasCut)")
    }
  }

  @Test(arguments: ["clip", "classifier"]) func rewardsTrainAsOne(_ kind: String) throws {
    let folder = try TemporaryFolder()
    try folder.writeRewardTraining()
    func words(_ run: String) -> [String] {
      ["reward", "train", "--config", "reward.yaml", "--output", run, "--quiet", "kind=\(kind)"]
    }
    let alone = try Attune.run(words("alone"), in: folder)
    #expect(alone.status == 0, "\(alone.output)")
    let outcome = try Attune.run(ranks: 4, words("ranks"), in: folder)
    #expect(outcome.status == 0, "\(outcome.output)")
    #expect(try folder.bytes("ranks/metrics.jsonl") == folder.bytes("alone/metrics.jsonl"))
  }

  /// A rank that is killed takes the others down at once; nothing is lost but the iteration.
  @Test func killedRanksLoseOnlyTheirIteration() throws {
    let training = TinyTraining.all[1]
    let folder = try training.makeFolder()
    let clock = ContinuousClock.now
    let whole = try Attune.run(ranks: 2, training.start("whole"), in: folder)
    let seconds = (ContinuousClock.now - clock) / .seconds(1)
    #expect(whole.status == 0, "\(whole.output)")
    let expected = try training.result(folder.file("whole"))
    var killCount = 0
    // More where somebody has the time.
    let rounds = ProcessInfo.processInfo.environment["ATTUNE_KILLS"].flatMap { Int($0) } ?? 8
    for round in 0..<rounds {
      let name = "killed\(round)"
      let process = try Attune.start(ranks: 2, training.start(name), in: folder)
      usleep(UInt32(Double.random(in: 0...seconds) * 1e6))
      try process.send(SIGKILL, toRank: round % 2)
      let outcome = try process.finish()
      if outcome.status != 0 { killCount += 1 }
      let hasBegun = folder.holds("\(name)/config.yaml")
      let end = try Attune.run(
        ranks: 2, hasBegun ? training.resume(name) : training.start(name), in: folder)
      #expect(end.status == 0, "\(end.output)")
      #expect(try training.result(folder.file(name)) == expected, "round \(round)")
    }
    #expect(killCount >= rounds / 3)
  }

  /// SIGUSR1, which mpirun hands on: all ranks finish the iteration, one says how to go on. Here one
  /// rank gets it: mpirun has the signals blocked that the thread which starts it has.
  @Test func interruptedRanksFinishTheirIteration() throws {
    let training = TinyTraining.all[1]
    let folder = try training.makeFolder()
    let words = training.start("run").filter { $0 != "--quiet" } + ["training.iterations=100000"]
    let process = try Attune.start(ranks: 2, words, in: folder)
    try process.wait { TinyTraining.checkpoints(folder.file("run")).count > 1 }
    try process.send(SIGUSR1, toRank: 1)
    let outcome = try process.finish()
    #expect(outcome.status == 130, "\(outcome.output)")
    let says = outcome.standardError.matches(of: #/stopped after iteration/#)
    #expect(says.count == 1, "\(outcome.standardError)")
    let done = try #require(TinyTraining.checkpoints(folder.file("run")).last)
    #expect(TinyTraining.recordedIterationCount(folder.file("run")) == done)
  }

  @Test func ranksThatDifferAreNamed() throws {
    let training = TinyTraining.all[1]
    let folder = try training.makeFolder()
    let other = training.start("run").map { $0 == "run" ? "elsewhere" : $0 }
    let process = try RunningProgram(
      "/usr/bin/env",
      Attune.launcher + ["-n", "1", try Attune.path] + training.start("run")
        + [":", "-n", "1", try Attune.path] + other, in: folder)
    let outcome = try process.finish()
    #expect(outcome.status == 1, "\(outcome.output)")
    #expect(outcome.standardError.contains("attune: rank 1 on "), "\(outcome.standardError)")
    #expect(outcome.standardError.contains("start all by one mpirun"))
    #expect(!folder.holds("run"))
  }

  /// What stops all of them is said once; a rank that fails by itself says which it is.
  @Test func failingRanksSayWhoTheyAre() throws {
    let training = TinyTraining.all[1]
    let folder = try training.makeFolder()
    let all = try Attune.run(
      ranks: 2, training.start("run") + ["environment=nowhere"], in: folder)
    #expect(all.status != 0)
    #expect(all.standardError.matches(of: #/attune: .*nowhere/#).count == 1, "\(all.output)")

    // The second one is on a machine that does not have the folder.
    let script = "[ $OMPI_COMM_WORLD_RANK = 0 ] || cd /; exec \"$0\" \"$@\""
    let process = try RunningProgram(
      "/usr/bin/env",
      Attune.launcher + ["-n", "2", "/bin/sh", "-c", script, try Attune.path]
        + training.start("other"), in: folder)
    let outcome = try process.finish()
    #expect(outcome.status == 1)
    #expect(
      outcome.standardError.contains(#/attune: rank 1 on \S+: other: is not to be seen/#),
      "\(outcome.output)")
  }

  @Test func workOfOneProcessIsRefused() throws {
    let folder = try TemporaryFolder()
    let outcome = try Attune.run(
      ranks: 2, ["report", "run", "--output", "page.html"], in: folder)
    #expect(outcome.status == 2)
    #expect(outcome.standardError.contains("'report' is the work of one process"))
  }

  /// What is drawn and played by parts is the same as the whole.
  @Test func evaluationsAndSamplesAreThoseOfOne() throws {
    let folder = try TemporaryFolder()
    try folder.writeFinetuning()
    try folder.writeImageImprovement()
    let commands = [
      ["policy", "evaluate", "--checkpoint", "policy.safetensors", "--episodes", "7", "--json"],
      [
        "image", "sample", "--model", "model", "--prompt", "a b", "--count", "5", "--steps", "2",
        "--output", "OUT.png",
      ],
    ]
    for command in commands {
      let alone = try Attune.run(command.map { $0.replacing("OUT", with: "1") }, in: folder)
      #expect(alone.status == 0, "\(alone.output)")
      for ranks in [2, 4] {
        let outcome = try Attune.run(
          ranks: ranks, command.map { $0.replacing("OUT", with: "\(ranks)") }, in: folder)
        #expect(outcome.status == 0, "\(outcome.output)")
        #expect(outcome.standardOutput == alone.standardOutput)
        guard command.contains("OUT.png") else { continue }
        #expect(try folder.bytes("\(ranks).png") == folder.bytes("1.png"))
      }
    }
  }
}

extension RunningProgram {
  /// Sends a signal to one of the ranks that this launcher has started.
  fileprivate func send(_ signal: Int32, toRank rank: Int) throws {
    let pids = FileManager.default.subpaths(atPath: "/proc/\(identifier)/task") ?? []
    for task in pids where !task.contains("/") {
      let path = "/proc/\(identifier)/task/\(task)/children"
      guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { continue }
      for child in text.split(separator: " ").compactMap({ Int32($0) }) {
        let variables = try? String(contentsOfFile: "/proc/\(child)/environ", encoding: .utf8)
        if variables?.contains("OMPI_COMM_WORLD_RANK=\(rank)\0") ?? false { kill(child, signal) }
      }
    }
  }
}
