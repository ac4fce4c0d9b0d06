import ArgumentParser
import Configuration
import DiffusionPolicies
import Environments
import Files
import Runs
import Training

/// `attune policy import reference.pt --config FILE.yaml --output policy.safetensors`
struct PolicyImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Import a checkpoint of the DPPO reference as a policy.",
    discussion: """
      The settings are 'policy' as in a pretraining preset, 'normalization' (the path of the \
      reference's normalization.npz) and, for a fine-tuned policy, 'fineTunedSteps'.

      Example:
        attune policy import state_3000.pt --config samples/hopper/import.yaml \\
          --output hopper.safetensors
      """)

  @Argument(help: "The .pt file.", completion: .file(extensions: ["pt"]))
  var reference: String

  @Option(help: "The YAML file of settings.", completion: .file(extensions: ["yaml", "yml"]))
  var config: String

  @Option(
    name: .shortAndLong, help: "The safetensors file to write.",
    completion: .file(extensions: ["safetensors"]))
  var output: String

  @Flag(
    inversion: .prefixedNo,
    help: "Take the moving average, or do not; given neither, it is taken if there is one.")
  var ema: Bool?

  @Flag(help: "Print errors only.")
  var quiet = false

  @Argument(help: "Settings in place of the file's: key.path=value.")
  var overrides: [String] = []

  func validate() throws { try validateOutput(output, ending: ".safetensors") }

  func run() throws {
    let settings = try ImportSettings.load(from: config, overrides: overrides)
    let log = RunLog(isQuiet: quiet)
    let reference = try ReferenceCheckpoint(path: reference)
    let checkpoint = try PolicyCheckpoint(
      reference, configuration: settings.policy,
      normalization: try DemonstrationNormalization(ofReference: settings.normalization),
      fineTunedSteps: settings.fineTunedSteps, critic: settings.critic,
      cameras: settings.cameras.map {
        Camera(name: $0.name, width: $0.width, height: $0.height)
      }, average: ema)
    try checkpoint.write(to: output)
    for note in try reference.notes(average: ema) {
      log.info("\(reference.path): \(note)".printable)
    }
    log.info("wrote \(output); evaluate it with 'attune policy evaluate'")
  }
}

/// The settings of `attune policy import`.
struct ImportSettings: RunConfiguration {
  /// What the policy is.
  var policy = PolicyConfiguration()
  /// The path of the reference's normalization.npz.
  @Setting(.required("the path of the reference's normalization.npz"))
  var normalization = ""
  /// K' of a fine-tuned policy.
  var fineTunedSteps = 0
  /// What the shapes of weights do not tell of the critic.
  var critic = CriticConfiguration()
  /// Whose images the policy sees, in the order of the reference's channels: `name`, `width` and
  /// `height` each, of three channels; none of a policy on states.
  var cameras: [ImportedCamera] = []

  /// The DPPO reference's names.
  static let aliases = ReferenceNames.importing
}

/// A camera of the reference, whose checkpoints do not tell the size of images.
struct ImportedCamera: Settings {
  /// What the environment calls it, as in `agentview_image`.
  @Setting(.required("the name of a camera"))
  var name = ""
  /// Pixels in a row.
  @Setting(1...65_536) var width = 96
  /// Rows.
  @Setting(1...65_536) var height = 96
}
