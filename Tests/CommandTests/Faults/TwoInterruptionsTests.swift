import Foundation
import TestSupport
import Testing

/// Ctrl-C twice, and a run that is written already.
@Suite(.serialized) struct TwoInterruptionsTests {
  @Test(arguments: [SIGINT, SIGTERM])
  func secondSignalEndsAtOnce(_ signal: Int32) throws {
    let training = TinyTraining.all[1]
    let folder = try training.makeFolder()
    // Scores the first policy for longer than the test waits.
    let process = try Attune.start(
      training.start("run") + ["evaluation.episodes=100000"], in: folder)
    try process.wait { folder.holds("run/metrics.jsonl") }
    usleep(500_000)
    process.send(signal)
    try process.wait { try process.standardError.contains("finishing the iteration") }

    let second = try Attune.run(training.resume("run"), in: folder)
    expectOneLine(second, "another process", "wait for it")

    #expect(process.isRunning)
    let clock = ContinuousClock.now
    process.send(signal)
    let outcome = try process.finish()
    #expect(outcome.status == 128 + signal)
    #expect(ContinuousClock.now - clock < .seconds(5))

    let resumed = try Attune.run(training.resume("run") + ["evaluation.episodes=3"], in: folder)
    #expect(resumed.status == 0, "\(resumed.output)")
    let whole = try Attune.run(training.start("whole"), in: folder)
    #expect(whole.status == 0)
    #expect(
      try training.result(folder.file("run")) == training.result(folder.file("whole")))
  }

  @Test(arguments: TinyTraining.all)
  func firstSignalSavesAndSaysHowToGoOn(_ training: TinyTraining) throws {
    let folder = try training.makeFolder()
    let talking = training.start("run").filter { $0 != "--quiet" }
    let process = try Attune.start(talking, in: folder)
    try process.wait { TinyTraining.recordedIterationCount(folder.file("run")) > 0 }
    process.send(SIGINT)
    let outcome = try process.finish()
    // The last iteration may have been under way.
    guard outcome.status != 0 else { return }
    #expect(outcome.status == 130, "\(outcome.output)")
    #expect(
      outcome.standardError.contains("continue with: attune \(training.command) --resume run"),
      "\(outcome.output)")
    let run = folder.file("run")
    #expect(TinyTraining.checkpoints(run).last == TinyTraining.recordedIterationCount(run))
    let resumed = try Attune.run(training.resume("run"), in: folder)
    #expect(resumed.status == 0, "\(resumed.output)")
    let whole = try Attune.run(training.start("whole"), in: folder)
    #expect(whole.status == 0)
    #expect(try training.result(run) == training.result(folder.file("whole")))
  }
}
