import ArgumentParser

/// `attune image`: work with images.
struct ImageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "image",
    abstract: "Train, improve and sample text-to-image models; make grids and videos.",
    discussion: """
      Example:
        attune image train --config samples/dolls/train.yaml data.path=dolls \\
          --output runs/dolls
        attune image sample --model runs/dolls/model --prompt "an elf" \\
          --output elves.png
      """,
    subcommands: [
      ImageTrainCommand.self, ImageFinetuneCommand.self, ImageSampleCommand.self,
      ImageEvaluateCommand.self, ImageGridCommand.self, ImageVideoCommand.self,
    ])
}

/// What is wrong with the images named, in a sentence.
struct ImageCommandError: Error, CustomStringConvertible {
  var description: String
}
