import ArgumentParser

/// `attune video`: work with clips.
struct VideoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "video",
    abstract: "Sample text-to-video models.",
    discussion: """
      Example:
        attune video sample --model models/text-to-video \\
          --prompt "a green dog is running on the grass" --output dog.mp4
      """,
    subcommands: [VideoSampleCommand.self])
}
