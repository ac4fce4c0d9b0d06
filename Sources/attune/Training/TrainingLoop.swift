import ArgumentParser
import Files
import Foundation
import NeuralNetworks
import Runs

/// Iterations, reports and checkpoints, until all are done or the user stops it.
struct TrainingLoop {
  /// What an iteration is called.
  let unit: String
  /// Whether no progress is shown.
  let isQuiet: Bool

  /// Trains from where the work stands to its end.
  ///
  /// - Throws: `ExitCode.interrupted` after saying how to go on, and what the work throws.
  func train(_ work: some TrainingWork) throws {
    var work = work
    let run = work.run
    guard work.iteration < work.iterationCount else { return try finish(work) }
    try work.check()
    try run.requireRoom(for: work.checkpoint(), count: work.remainingCheckpointCount)
    if run.resumed != nil {
      run.log.say(
        "goes on after \(unit) \(work.iteration.grouped) of \(work.iterationCount.grouped)")
    }
    var progress = ProgressBar(
      run.command.split(separator: " ").last.map(String.init) ?? run.command,
      total: work.iterationCount, alreadyDone: work.iteration, unit: unit, isQuiet: isQuiet)
    Interruption.install()
    if work.iteration == 0 { try work.begin() } else { drawMissingImages(&work) }
    while work.iteration < work.iterationCount {
      let report = try run.stoppingAtNonFinite(iteration: work.iteration + 1) {
        try work.iterate()
      }
      let isLast = work.iteration == work.iterationCount
      if isLast || work.iteration.isMultiple(of: work.reportInterval) {
        progress.update(work.iteration, note: try work.write(report, isLast: isLast))
      }
      let isInterrupted = Interruption.isRequested && !isLast
      let hasImages = !work.images.isEmpty
      if isLast || isInterrupted || hasImages
        || work.iteration.isMultiple(of: work.checkpointInterval)
      {
        try work.save()
      }
      if hasImages { drawImages(&work) }
      if isInterrupted {
        run.sayInterrupted(after: work.iteration)
        throw ExitCode.interrupted
      }
    }
    run.log.say(run.times.table)
    sayResult(work)
  }

  /// Images are no reason to lose a training.
  private func drawImages(_ work: inout some TrainingWork) {
    do {
      try work.drawImages()
    } catch {
      work.run.log.warn("no images of \(unit) \(work.iteration.grouped): \(error)")
    }
  }

  /// Whoever was stopped between a checkpoint and its images draws them now.
  private func drawMissingImages(_ work: inout some TrainingWork) {
    guard !work.images.allSatisfy(FileManager.default.fileExists) else { return }
    drawImages(&work)
  }

  /// Says that there is nothing left to do; what somebody has removed is written again.
  private func finish(_ work: some TrainingWork) throws {
    var work = work
    if !work.resultPaths.allSatisfy(FileManager.default.fileExists) { try work.save() }
    drawMissingImages(&work)
    work.run.log.say(
      "\(work.iteration.counting(unit)) of \(work.iterationCount.grouped) done; for more, add "
        + "\(work.iterationCountKey)=\(work.iteration * 2)")
    sayResult(work)
  }

  private func sayResult(_ work: some TrainingWork) {
    let paths = work.resultPaths.map(\.printable)
    work.run.log.say(
      "the \(work.resultNoun)\(paths.count == 1 ? " is" : "s are") "
        + paths.joined(separator: ", "))
  }
}

extension Run {
  /// Draws an image of the start of a training, which is no reason to lose it.
  func drawStart(_ body: () throws -> Void) {
    do {
      try body()
    } catch {
      log.warn("no images of the start: \(error)")
    }
  }

  /// Names iteration and last checkpoint where a loss or gradient is not finite.
  func stoppingAtNonFinite<Result>(iteration: Int, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as NonFiniteGradient {
      throw NonFiniteError(
        iteration: iteration, name: error.name, badCount: error.badCount, count: error.count,
        lastCheckpoint: checkpoints.latestPath, isWeight: error.isWeight)
    }
  }
}
