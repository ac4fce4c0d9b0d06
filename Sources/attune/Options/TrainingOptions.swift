import ArgumentParser
import Configuration
import Files
import NeuralNetworks
import Reports
import Runs
import Tensors
import Training

/// The options of every command that trains.
struct TrainingOptions: ParsableArguments {
  @Option(
    help: "The YAML file of settings; those it leaves out keep their defaults.",
    completion: .file(extensions: ["yaml", "yml"]))
  var config: String?

  @Option(
    name: .shortAndLong, help: "The run folder to make; runs/NAME-DATE unless given.",
    completion: .directory)
  var output: String?

  @Option(
    help: "The folder of a run to continue with, exactly where its last checkpoint was.",
    completion: .directory)
  var resume: String?

  @Option(help: "The seed, in place of that of the settings; -1 for a random one.")
  var seed: UInt64?

  @Option(
    help: """
      The precision of matrix products, in place of that of the settings: highest, high or medium.
      """)
  var precision: Precision?

  @OptionGroup var threads: ThreadOptions

  @Flag(help: "Print warnings and errors only.")
  var quiet = false

  @Argument(help: "Settings in place of the file's: key.path=value.")
  var overrides: [String] = []

  func validate() throws {
    for (name, path) in [("config", config), ("output", output), ("resume", resume)] {
      if let path { try validatePath(path, of: name) }
    }
    if resume != nil, config != nil || output != nil {
      throw ValidationError(
        "--resume continues with a run as it was configured, without --config and --output; "
          + "key.path=value may follow it")
    }
    if resume != nil, seed != nil || overrides.contains(where: { $0.hasPrefix("seed=") }) {
      throw ValidationError(
        "--resume keeps the seed of the run; for another one, start a run of its own")
    }
  }

  /// Starts or resumes the run.
  ///
  /// - Parameters:
  ///   - type: its settings.
  ///   - command: the command without its flags, as in "policy finetune".
  ///   - name: for the run folder, where none is given.
  ///   - needsFile: whether a new run needs `--config`.
  ///   - sumsGradients: whether processes divide gradients among them, of which there are parts for
  ///     1, 2, 4 or 8.
  func open<Settings: RunConfiguration>(
    _ type: Settings.Type, command: String, named name: String, needsFile: Bool = true,
    sumsGradients: Bool = true
  ) throws -> Run<Settings> {
    if needsFile, resume == nil, config == nil {
      throw ValidationError("give --config FILE.yaml, or --resume RUN to continue with a run")
    }
    threads.apply()
    let communicator = try Ranks.join()
    if sumsGradients { try communicator.checkTrainingCount() }
    guard communicator.isFirst else { return try Run.join(communicator) }
    var overrides = overrides
    if let seed { overrides.append("seed=\(seed)") }
    if let precision { overrides.append("precision=\(precision.rawValue)") }
    let log = RunLog(isQuiet: quiet)
    if let resume {
      try requireCommand(command, resume)
      return try Run.resume(
        at: resume, command: command, overrides: overrides, communicator: communicator, log: log)
    }
    var drawnSeed: UInt64?
    let settings = try Settings.load(from: config, overrides: overrides) {
      let seed = CommandArguments.randomSeed()
      drawnSeed = seed
      return seed
    }
    if let drawnSeed { StandardError.write(CommandArguments.note(ofSeed: drawnSeed)) }
    return try Run.start(
      at: try output ?? RunFolder.makeDefault(named: name), configuration: settings,
      command: command, communicator: communicator, log: log)
  }

  /// Trains to the end.
  ///
  /// - Parameters:
  ///   - run: where it is recorded, and in what precision it is.
  ///   - job: what is trained; what it computes before the first iteration is in that precision too.
  /// - Throws: `ExitCode.interrupted` if the user stops it, and what the job throws.
  func train<Settings: RunConfiguration>(
    _ run: Run<Settings>, _ job: (Run<Settings>) throws -> any TrainingJob
  ) throws {
    do {
      try withPrecision(run.configuration.precision) {
        try TrainingLoop(isQuiet: quiet).train(try job(run))
      }
    } catch is Interrupted {
      throw ExitCode.interrupted
    }
  }
}

extension TrainingOptions {
  /// Refuses to go on with a run of another command.
  private func requireCommand(_ command: String, _ run: String) throws {
    // What is no run at all, or cannot be read, is told when it is opened.
    let text = try? TextFile.read(path: "\(run)/config.yaml")
    let settings = text.flatMap { try? SettingsOutline(yaml: $0) }
    let kind = RunKind(try RunRecord.read(in: run), settings)
    guard let found = kind.command, found != "attune \(command)" else { return }
    throw ValidationError(
      "\(run.printable) is a run of another command; continue with it by: \(found) --resume "
        + run.printable)
  }
}
