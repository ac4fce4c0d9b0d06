import Training
import ArgumentParser
import DiffusionPolicies
import Environments
import Runs

/// `attune environment render NAME --output PATH`
struct EnvironmentRenderCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "render",
    abstract: "Render episodes of random actions or of a policy.",
    discussion: """
      Example:
        attune environment render hopper --episodes 2 --output hopper.mp4
      """)

  @OptionGroup var selection: EnvironmentSelection

  @Option(
    name: .shortAndLong, help: "The MP4 file to write.", completion: .file(extensions: ["mp4"]))
  var output: String

  @Option(
    help: "The safetensors file of an actor; random actions unless given.",
    completion: .file(extensions: ["safetensors"]))
  var policy: String?

  @Option(help: "The number of episodes.")
  var episodes = 1

  @Option(help: "The width of an image in pixels.")
  var width = 480

  @Option(help: "The height of an image in pixels.")
  var height = 480

  @Option(help: "The maximum number of images in a second of simulated time.")
  var frameRate = 50.0

  @Flag(help: "Print errors only.")
  var quiet = false

  func validate() throws {
    try validateOutput(output, ending: ".mp4")
    try validateRange("episodes", episodes, 1...10_000)
    guard (16...4096).contains(width), (16...4096).contains(height) else {
      throw ValidationError("an image of \(width)x\(height) pixels; both must be 16 to 4096")
    }
    guard (0.01...1000).contains(frameRate) else {
      throw ValidationError("--frame-rate is \(frameRate), expected 0.01 to 1000")
    }
  }

  func run() throws {
    RunLog().takeEnvironmentWarnings(isQuiet: quiet)
    let environment = try selection.make()
    let actor = try policy.map { try BehaviourPolicy(path: $0) }
    let video = try EpisodeVideo(
      path: output, of: environment, width: width, height: height, frameRate: frameRate)
    for episode in 0..<episodes {
      let seed = selection.seed &+ UInt64(episode)
      let random = RandomActions(space: environment.actionSpace, seed: seed)
      let act =
        try actor?.player(in: environment, choice: .deterministic, seed: seed)
        ?? { _, step in random[step] }
      let statistics = try environment.playEpisode(from: .seed(seed), policy: act) {
        step, outcome in
        try video.visit(environment, step: step, outcome: outcome)
      }
      if !quiet {
        StandardError.write(
          "episode \(episode + 1) of \(episodes): return \(statistics.totalReward), "
            + statistics.stepCount.counting("step"))
      }
    }
    let frameCount = try video.finish()
    if !quiet {
      StandardError.write("wrote \(output): \(frameCount.counting("frame"))")
    }
  }
}
