import ArgumentParser
import Foundation

/// `attune image`: work with pictures.
struct ImageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "image",
    abstract: "Train, improve and sample text-to-image models; make grids and videos.",
    subcommands: [
      ImageTrainCommand.self, ImageFinetuneCommand.self, ImageSampleCommand.self,
      ImageEvaluateCommand.self,
      ImageGridCommand.self, ImageVideoCommand.self,
    ])
}

/// What is wrong with the pictures named, in a sentence.
struct ImageCommandError: Error, CustomStringConvertible {
  var description: String
}

extension ImageCommand {
  /// Writes a line on stderr, where everything goes that is not the result.
  static func say(_ line: String) {
    FileHandle.standardError.write(Data("\(line)\n".utf8))
  }
}
