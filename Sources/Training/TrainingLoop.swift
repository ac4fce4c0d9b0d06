import Files
import Foundation
import NeuralNetworks
import Runs
import Tensors

/// The user stopped a training; its run can be resumed.
public struct Interrupted: Error, CustomStringConvertible {
  /// The last finished iteration, which has a checkpoint.
  public let iteration: Int

  /// Where it stopped.
  public var description: String { "stopped after iteration \(iteration.grouped)" }
}

/// Iterations, metrics and checkpoints, until all are done or the user stops it.
public struct TrainingLoop {
  /// Whether no progress is shown.
  public let isQuiet: Bool

  /// A loop that shows no progress, unless told otherwise.
  public init(isQuiet: Bool = true) { self.isQuiet = isQuiet }

  /// Trains from where a job stands to its end, in the precision of its settings.
  ///
  /// - Throws: `Interrupted` after saying how to go on; `NonFiniteError` where a loss, gradient or
  ///   weight is not finite; what the job throws.
  public func train(_ job: some TrainingJob) throws {
    let precision = job.run.configuration.precision
    if precision != .highest { job.run.log.info(precision.note) }
    try withPrecision(precision) { try trainInPrecision(job) }
  }

  private func trainInPrecision(_ job: some TrainingJob) throws {
    var job = job
    let (run, trainer, unit) = (job.run, job.trainer, job.unit)
    guard !trainer.isFinished else { return try finish(job) }
    try job.check()
    try run.requireRoom(for: job.checkpoint(), count: job.remainingCheckpoints)
    if run.resumed != nil {
      run.log.info(
        "resumes after \(unit) \(trainer.iteration.grouped) of \(trainer.iterations.grouped)")
    }
    var progress = ProgressBar(
      run.command.split(separator: " ").last.map(String.init) ?? run.command,
      total: trainer.iterations, alreadyDone: trainer.iteration, unit: unit, isQuiet: isQuiet)
    Interruption.install(isSilent: !run.isWriting)
    var window = try MetricsWindow(resumed: run.resumed)
    if trainer.iteration == 0 { try job.begin() } else { drawMissingImages(&job) }
    while !trainer.isFinished {
      let metrics = try run.stoppingAtNonFinite(iteration: trainer.iteration + 1) {
        try iterate(trainer)
      }
      for section in metrics.sections {
        run.times.add(.seconds(metrics.seconds[section] ?? 0), to: section)
      }
      window.metrics.join(metrics)
      let isLast = trainer.isFinished
      if isLast || trainer.iteration.isMultiple(of: job.reportInterval) {
        let metrics = window.take()
        var record = MetricsRecord(
          iteration: trainer.iteration, step: trainer.step, values: metrics.values)
        try job.evaluate(into: &record, isLast: isLast)
        try run.write(
          record,
          times: metrics.scalars.merging(run.communicator.traffic.scalars) { number, _ in number })
        progress.update(trainer.iteration, note: job.words(for: record))
      }
      let isInterrupted = try run.communicator.anyRank(Interruption.isRequested) && !isLast
      let hasImages = !job.images.isEmpty
      if isLast || isInterrupted || hasImages
        || trainer.iteration.isMultiple(of: job.checkpointInterval)
      {
        try save(job, window)
      }
      if hasImages { drawImages(&job) }
      if isInterrupted {
        run.reportInterrupted(after: trainer.iteration)
        throw Interrupted(iteration: trainer.iteration)
      }
    }
    run.log.info(run.times.table)
    run.reportTraffic(iterations: trainer.iteration - run.firstIteration + 1, unit: unit)
    reportResult(job)
  }

  /// An iteration and its time, where the trainer does not tell its parts'.
  private func iterate(_ trainer: any Trainer) throws -> Metrics {
    let start = ContinuousClock.now
    var metrics = try trainer.iterate()
    if metrics.sections.isEmpty { metrics.add(ContinuousClock.now - start, to: "train") }
    return metrics
  }

  /// Writes a checkpoint. Results come first, for a checkpoint says that they are there; where they
  /// cannot be written, the checkpoint still is.
  private func save(_ job: some TrainingJob, _ window: MetricsWindow) throws {
    let results = Result { if job.run.isWriting { try job.writeResults() } }
    var checkpoint = try job.checkpoint()
    try window.store(in: &checkpoint)
    try job.run.save(checkpoint)
    try results.get()
  }

  /// Images are no reason to lose a training.
  private func drawImages(_ job: inout some TrainingJob) {
    guard job.run.isWriting else { return }
    do {
      try job.drawImages()
    } catch {
      job.run.log.warn("no images of \(job.unit) \(job.trainer.iteration.grouped): \(error)")
    }
  }

  /// Whoever was stopped between a checkpoint and its images draws them now.
  private func drawMissingImages(_ job: inout some TrainingJob) {
    guard !job.images.allSatisfy(FileManager.default.fileExists) else { return }
    drawImages(&job)
  }

  /// Says that there is nothing left to do; what somebody has removed is written again.
  private func finish(_ job: some TrainingJob) throws {
    var job = job
    let trainer = job.trainer
    let isComplete = job.resultPaths.allSatisfy(FileManager.default.fileExists)
    if try job.run.communicator.anyRank(job.run.isWriting && !isComplete) {
      try save(job, try MetricsWindow(resumed: job.run.resumed))
    }
    drawMissingImages(&job)
    job.run.log.info(
      "\(trainer.iteration.counting(job.unit)) of \(trainer.iterations.grouped) done; for more, add "
        + "\(job.iterationsKey)=\(trainer.iteration * 2)")
    reportResult(job)
  }

  private func reportResult(_ job: some TrainingJob) {
    let paths = job.resultPaths.map(\.printable)
    guard !paths.isEmpty else { return }
    job.run.log.info(
      "the \(job.resultNoun)\(paths.count == 1 ? " is" : "s are") "
        + paths.joined(separator: ", "))
  }
}

/// Numbers of the iterations since the last line of metrics; kept in checkpoints, so that a run
/// that was stopped between two lines writes the line that it would have written.
private struct MetricsWindow {
  var metrics = Metrics()
  private static let key = "run.window"

  /// Goes on from what a checkpoint knew.
  init(resumed: Checkpoint?) throws {
    guard let text = resumed?.metadata[Self.key] else { return }
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    metrics = try decoder.decode(Metrics.self, from: Data(text.utf8))
  }

  /// Gives the numbers; the next window begins.
  mutating func take() -> Metrics {
    defer { metrics = Metrics() }
    return metrics
  }

  /// Lets a later run know the numbers.
  func store(in checkpoint: inout Checkpoint) throws {
    guard !metrics.isEmpty else { return }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    checkpoint.metadata[Self.key] = String(
      decoding: try encoder.encode(metrics), as: UTF8.self)
  }
}

extension Metrics {
  /// Seconds of each section, as TensorBoard names them.
  fileprivate var scalars: [String: Double] {
    Dictionary(
      uniqueKeysWithValues: seconds.map { section, number in
        let words = section.split(separator: " ").map { $0.prefix(1).uppercased() + $0.dropFirst() }
        return ("seconds" + words.joined(), number)
      })
  }
}

extension Traffic {
  /// What has been sent so far, as TensorBoard names it; nothing of a process on its own.
  fileprivate var scalars: [String: Double] {
    guard messages > 0 else { return [:] }
    return [
      "messagesSent": Double(messages), "bytesSent": Double(bytes),
      "secondsCommunicate": duration / .seconds(1),
    ]
  }
}

extension TrainingJob {
  /// How many more checkpoints there will be at least.
  fileprivate var remainingCheckpoints: Int {
    max(1, (trainer.iterations - trainer.iteration) / checkpointInterval)
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

  /// Tells what the processes of a training had to say to each other.
  fileprivate func reportTraffic(iterations: Int, unit: String) {
    guard communicator.processCount > 1, iterations > 0 else { return }
    let traffic = communicator.traffic
    let (messages, bytes) = (traffic.messages / iterations, traffic.bytes / iterations)
    let milliseconds = traffic.duration / .milliseconds(1) / Double(iterations)
    log.info(
      "\(communicator.processCount) ranks: in each \(unit) this one sent "
        + "\(messages.counting("message")), \((bytes >> 10).grouped) kB, which took "
        + "\(milliseconds.short) ms with waiting")
  }

  /// Names iteration and last checkpoint where a loss or gradient is not finite.
  fileprivate func stoppingAtNonFinite<Result>(
    iteration: Int, _ body: () throws -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch let error as NonFiniteGradient {
      throw NonFiniteError(
        iteration: iteration, name: error.name, badCount: error.badCount, count: error.count,
        lastCheckpoint: checkpoints.latestPath, isWeight: error.isWeight)
    }
  }
}
