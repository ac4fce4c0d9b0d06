import ArgumentParser
import Foundation
import Media
import Rewards
import Runs

/// `attune reward score --reward EXPRESSION --prompt TEXT IMAGES... [--json]`
struct RewardScoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Score PNG files with a reward.",
    discussion: """
      A reward is clip (how well an image fits its prompt), clip:'another text', \
      clip-choice:'PHRASES.txt' (how surely each phrase of the prompt is found rather than another \
      of the same line of the file, where tabs part them), attributes:'FOLDER' (how surely a classifier sees each \
      attribute that the prompt requests), aesthetic:'HEAD.safetensors', viclip:'FOLDER' \
      (how well a clip fits its prompt), compressibility, \
      incompressibility (also png-size, kilobytes of PNG), command:'PROGRAM ARGS', or a sum of these with weights. The program is called with \
      a folder of PNG files and a JSON file of prompts, and prints a JSON list of numbers.

      Examples:
        attune reward score --reward clip --clip runs/clip/model --prompt "an elf" \\
          a.png b.png
        attune reward score --reward "0.7*clip + 0.3*png-size" \\
          --clip runs/clip/model --prompt "an elf" a.png b.png --json
        attune reward score --reward command:'python3 score.py' --prompt "an elf" \\
          a.png
      """)

  @Option(help: "The reward, or a weighted sum of rewards.")
  var reward: String

  @Option(help: "The prompt of the images; one for all, or one for each.")
  var prompt: [String] = []

  @Option(
    help: "The folder of the CLIP model, for rewards that need one.", completion: .directory)
  var clip: String?

  @Option(help: "The seconds that an external program may take.")
  var timeLimit = 600.0

  @OptionGroup var computing: ComputingOptions

  @Flag(help: "Report as JSON on standard output.")
  var json = false

  @Argument(help: "The PNG files.", completion: .file(extensions: ["png"]))
  var images: [String]

  func validate() throws {
    guard !images.isEmpty else { throw ValidationError("name at least one PNG file") }
    try validateTimeLimit(timeLimit)
    guard prompt.isEmpty || prompt.count == 1 || prompt.count == images.count else {
      throw ValidationError(
        "\(images.count) images need one --prompt or as many, not \(prompt.count)")
    }
    guard let expression = try? RewardExpression(reward) else { return }
    if prompt.isEmpty, expression.needsPrompts {
      throw ValidationError("the reward '\(reward)' needs --prompt")
    }
  }

  func run() throws { try computing.run(isQuiet: false, compute) }

  private func compute() throws {
    let scorer = try RewardExpression(reward).reward(clipFolder: clip, timeLimit: timeLimit)
    let loaded = try images.map { try Image(contentsOfFile: $0) }
    let prompts = images.indices.map {
      prompt.isEmpty ? "" : prompt.count == 1 ? prompt[0] : prompt[$0]
    }
    let scores = try scorer.scored(loaded, prompts: prompts)
    if json {
      let report = RewardReport(
        reward: scorer.name,
        scores: zip(images, prompts).enumerated().map { index, pair in
          .init(path: pair.0, prompt: pair.1, score: scores.values[index])
        }, mean: scores.mean, droppedCount: scores.droppedCount)
      print(try report.jsonLine)
    } else {
      for (path, score) in zip(images, scores.values) {
        print("\(score.map { Double($0).short } ?? "none")\t\(path)")
      }
    }
    if scores.droppedCount > 0 {
      StandardError.write(
        "attune: warning: \(scores.droppedCount.counting("image")) got no finite number")
    }
  }
}

/// What `attune reward score --json` prints.
struct RewardReport: Codable, Equatable {
  /// One image.
  struct Score: Codable, Equatable {
    /// Its file.
    let path: String
    /// What it was made for.
    let prompt: String
    /// Its score; missing if the reward has none.
    let score: Float?
  }

  /// The reward's name.
  let reward: String
  /// One for each image.
  let scores: [Score]
  /// The mean of those that there are.
  let mean: Double?
  /// How many images got no finite number.
  let droppedCount: Int
}
