import Foundation
import TestSupport
import Testing

/// `kill -9` at random moments: a run goes on as if nothing had been.
@Suite(.serialized) struct KillTests {
  @Test(arguments: TinyTraining.all)
  func killedRunsLoseOnlyTheirIteration(_ training: TinyTraining) throws {
    let folder = try training.makeFolder()
    let clock = ContinuousClock.now
    let undisturbed = try Attune.run(training.start("whole"), in: folder)
    let seconds = (ContinuousClock.now - clock) / .seconds(1)
    #expect(undisturbed.status == 0, "\(undisturbed.output)")
    let expected = try training.result(folder.file("whole"))

    var killCount = 0
    var round = 0
    while killCount < 11, round < 30 {
      round += 1
      let (name, path) = ("killed\(round)", folder.file("killed\(round)"))
      for _ in 0..<3 {
        let hasBegun = folder.holds("\(name)/config.yaml")
        let process = try Attune.start(
          hasBegun ? training.resume(name) : training.start(name), in: folder)
        let delay = Double.random(in: 0...seconds)
        usleep(UInt32(delay * 1e6))
        process.send(SIGKILL)
        let outcome = try process.finish()
        if outcome.status == -SIGKILL { killCount += 1 }
        // A line of metrics is written before its checkpoint: at most one has none.
        let newest = TinyTraining.checkpoints(path).last ?? 0
        #expect(
          newest >= TinyTraining.recordedIterationCount(path) - 1,
          "killed after \(delay) s: \(outcome.output)")
      }
      let hasBegun = folder.holds("\(name)/config.yaml")
      let end = try Attune.run(
        hasBegun ? training.resume(name) : training.start(name), in: folder)
      #expect(end.status == 0 && end.output.isEmpty, "\(end.output)")
      #expect(try training.result(path) == expected, "round \(round)")
      #expect(leftovers(path) == [])
    }
    #expect(killCount >= 11)
  }

  /// Files that were being written when the program was killed.
  private func leftovers(_ run: String) -> [String] {
    let names = FileManager.default.enumerator(atPath: run)
    return (names?.allObjects as? [String] ?? ["no folder"]).filter { $0.contains("partial") }
  }
}
