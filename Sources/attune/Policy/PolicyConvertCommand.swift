import ArgumentParser
import Configuration
import DiffusionPolicies
import Environments
import Files
import Runs

/// `attune policy convert INPUT... --output PATH`
struct PolicyConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Convert demonstrations from one format to another.",
    discussion: """
      Reads what 'policy pretrain' reads: npz files of DPPO, HDF5 files of robomimic and D4RL, and the \
      folders of LeRobot, Minari and Diffusion Policy (zarr). Several inputs are joined. The output's \
      name says what is written: FILE.npz, FILE.hdf5 in D4RL's layout (robomimic's with images), or a \
      folder of LeRobot.

      Examples:
        attune policy convert pusht_lerobot --output pusht.npz
        attune policy convert low_dim.hdf5 --filter-key train --output lift.hdf5
        attune policy convert image.hdf5 --image agentview_image --output can.npz
        attune policy convert pusht.zarr --fps 10 --task "Push the T" --output pusht
      """)

  @Argument(
    help: ArgumentHelp("Files or folders to read, of one robot.", valueName: "input"),
    completion: .file())
  var inputs: [String]

  @Option(
    name: .shortAndLong,
    help: "The npz or hdf5 file to write, or a folder, whose name has no ending.",
    completion: .file())
  var output: String

  @Option(help: "The layout of the inputs.")
  var format = DemonstrationFormat.automatic

  @Option(
    help: "A tensor of the observation, given once for each; the usual ones if none is given.")
  var observation: [String] = []

  @Option(help: "A tensor of images, given once for each; no images if none is given.")
  var image: [String] = []

  @Option(help: "The tensor of actions.")
  var actionKey = "actions"

  @Option(help: "The mask that chooses episodes of a robomimic file; all without it.")
  var filterKey: String?

  @Option(help: "The maximum number of episodes, the first ones; 0 for all.")
  var episodes = 0

  @Option(help: "Steps after which an episode of a D4RL file ends; 0 for the ends in the file.")
  var maxEpisodeSteps = 0

  @Option(
    help: ArgumentHelp(
      "The normalization.npz of inputs that are normalized; 'none' for inputs in their own units.",
      valueName: "file"), completion: .file(extensions: ["npz"]))
  var normalization = ""

  @Option(help: "Frames a second of a LeRobot folder, where the inputs do not say.")
  var fps: Double?

  @Option(help: "The task's text in a LeRobot folder, where the inputs do not say.")
  var task = "demonstration"

  @Flag(help: "Print errors only.")
  var quiet = false

  @Flag(help: "Report as JSON on standard output.")
  var json = false

  func validate() throws {
    try validateDemonstrationOutput(output)
    try validateRange("episodes", episodes, 0...1_000_000_000)
    try validateRange("max-episode-steps", maxEpisodeSteps, 0...1_000_000_000)
    if let fps { try validateFramesPerSecond(fps) }
  }

  func run() throws {
    guard let kind = DemonstrationOutput(path: output) else { return }
    // Fails before the work, not after it.
    try kind.checkWritable(output)
    var settings = DemonstrationConfiguration()
    settings.path = inputs[0]
    settings.morePaths = Array(inputs.dropFirst())
    settings.format = format
    settings.observations = observation
    settings.images = image
    settings.actionKey = actionKey
    settings.filterKey = filterKey ?? "none"
    settings.episodeLimit = episodes
    settings.maxEpisodeSteps = maxEpisodeSteps
    settings.normalization = normalization
    try settings.validate()
    var environment = EnvironmentConfiguration()
    environment.name = "none"
    let demonstrations = try settings.read(for: environment)
    let notes = try kind.write(
      demonstrations, to: output,
      options: DemonstrationOutput.Options(framesPerSecond: fps, task: task))
    let log = RunLog(isQuiet: quiet)
    let isOne = inputs.count == 1
    for note in demonstrations.notes {
      log.info((isOne ? "\(inputs[0]): \(note)" : note).printable)
    }
    for note in notes { log.info("\(output): \(note)".printable) }
    try report(demonstrations)
  }

  private struct Report: Encodable {
    let episodes: Int
    let steps: Int
    let observations: Int
    let actions: Int
    let output: String
  }

  private func report(_ demonstrations: Demonstrations) throws {
    let report = Report(
      episodes: demonstrations.lengths.count, steps: demonstrations.stepCount,
      observations: demonstrations.stateSize, actions: demonstrations.actionSize, output: output)
    if json {
      print(try report.jsonLine)
    } else {
      print(
        "\(report.episodes.counting("episode")), \(report.steps.counting("step")) of "
          + "\(report.observations.counting("observation")) and "
          + "\(report.actions.counting("action")): \(output.printable)")
    }
  }
}

extension DemonstrationFormat: ExpressibleByArgument {}

/// Checks where demonstrations are written to, whose name says what they are written as.
func validateDemonstrationOutput(_ path: String) throws {
  try validatePath(path, of: "output")
  guard DemonstrationOutput(path: path) != nil else {
    throw ValidationError(
      "--output must end in .npz, .hdf5 or .h5, or be a folder without an ending, not '\(path)'")
  }
}

/// Checks `--fps`.
func validateFramesPerSecond(_ rate: Double) throws {
  guard rate > 0, rate <= 1e6 else {
    throw ValidationError("--fps is \(rate), expected frames a second above 0, up to 1000000")
  }
}
