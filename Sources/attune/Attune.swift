import ArgumentParser
import Runs

/// The command line: parse, call, print.
@main
struct Attune: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attune",
    abstract: "Improves pretrained diffusion models by reinforcement learning.",
    subcommands: [
      PolicyCommand.self, ImageCommand.self, NoiseCommand.self, RewardCommand.self,
      EnvironmentCommand.self, ReportCommand.self, ChartCommand.self, InspectCommand.self,
    ])

  /// 0 when all went well, 1 when the command failed, 2 when it was called wrongly; a command that
  /// was interrupted throws `ExitCode.interrupted`.
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      exit(reporting: error)
    }
  }

  private static func exit(reporting error: any Error) -> Never {
    let code = exitCode(for: error)
    switch code {
    case .success:
      // Help and the like.
      print(fullMessage(for: error))
    case .validationFailure:
      StandardError.write("attune: \(message(for: error))\nAdd --help to see how it is called.")
    default:
      // A command that throws an exit code has already said why.
      if !(error is ExitCode) { StandardError.write("attune: \(message(for: error))") }
    }
    exit(withError: code == .validationFailure ? ExitCode.usage : code)
  }
}

extension ExitCode {
  /// The command line was wrong.
  static let usage = ExitCode(2)
  /// The user stopped the command, as a shell reports it.
  static let interrupted = ExitCode(130)
}
