@preconcurrency import Glibc
import ArgumentParser
import Environments
import Media
import PythonEnvironments
import Runs
import Tensors

/// The command line: parse, call, print.
@main
struct Attune: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attune",
    abstract: "Improve pretrained diffusion models by reinforcement learning.",
    discussion: """
      Results go to standard output, all else to standard error. The exit status is 0 when all went \
      well, 1 when the command failed, 2 when it was called wrongly, 130 when it was interrupted.

      Examples:
        attune policy pretrain --config samples/push-t/pretrain.yaml \\
          --output runs/push-t
        attune policy finetune --resume runs/push-t-dppo
        attune image sample --model runs/dolls/model --prompt "an elf" \\
          --output elves.png
        attune inspect runs/push-t
        attune --version --verbose
      """,
    version: "attune 0.2.0",
    subcommands: [
      PolicyCommand.self, ImageCommand.self, VideoCommand.self, NoiseCommand.self,
      RewardCommand.self, EnvironmentCommand.self, ReportCommand.self, ChartCommand.self,
      InspectCommand.self, CompletionsCommand.self,
    ])

  /// 0 when all went well, 1 when the command failed, 2 when it was called wrongly; a command that
  /// was interrupted throws `ExitCode.interrupted`.
  static func main() {
    // A file beyond the user's limit is then an error like a full disk, not the end.
    signal(SIGXFSZ, SIG_IGN)
    Ranks.begin()
    for resolver in EnvironmentRegistry.Resolver.pythonEnvironments {
      EnvironmentRegistry.registerStandard(resolver)
    }
    FontWarnings.handle { RunLog().warn($0) }
    do {
      try checkArguments()
      try ComputingDescription.checkChoice()
      if VersionReport.isRequested(Array(CommandLine.arguments.dropFirst())) {
        print(VersionReport(version: configuration.version).text)
        return try checkOutput()
      }
      let typed = CommandArguments(
        Array(CommandLine.arguments.dropFirst()), makeSeed: Ranks.randomSeed)
      var command = try parseAsRoot(typed.arguments)
      if let seed = typed.randomSeed { StandardError.write(CommandArguments.note(ofSeed: seed)) }
      try Ranks.check(command)
      try command.run()
      try checkOutput()
      Ranks.finish()
    } catch {
      exit(reporting: error)
    }
  }

  /// Swift repairs what is not UTF-8, and no file has the repaired name.
  private static func checkArguments() throws {
    for (index, argument) in CommandLine.arguments.enumerated().dropFirst() {
      guard let bytes = CommandLine.unsafeArgv[index] else { continue }
      guard String(validatingCString: bytes) == nil else { continue }
      throw ValidationError(
        "argument \(index), '\(argument)', is not UTF-8; rename the file, or give it a "
          + "second name with ln -s")
    }
  }

  /// What was printed may still wait in a buffer, for a disk that is full.
  private static func checkOutput() throws {
    guard fflush(stdout) == 0, ferror(stdout) == 0 else {
      throw OutputError(reason: String(cString: strerror(errno)))
    }
  }

  private static func exit(reporting error: any Error) -> Never {
    let code = exitCode(for: error)
    switch code {
    case .success:
      // Help and the like.
      print(fullMessage(for: error))
    case .interrupted:
      Ranks.finish()
    case .validationFailure:
      let line = oneLine(message(for: error))
      StandardError.write("attune: \(line)\nAdd --help to see how it is called.")
      Ranks.abort(line, status: ExitCode.usage.rawValue)
    default:
      // A command that throws an exit code has already said why.
      let line = error is ExitCode ? nil : oneLine(message(for: error))
      if let line { StandardError.write("attune: \(line)") }
      Ranks.abort(line, status: code.rawValue)
    }
    exit(withError: code == .validationFailure ? ExitCode.usage : code)
  }
}

extension Attune {
  /// ArgumentParser gives each choice of an option a line of its own.
  private static func oneLine(_ message: String) -> String {
    let lines = message.split(separator: "\n").map(String.init)
    let choices = lines.dropFirst().map { $0.drop { $0 == " " || $0 == "-" } }
    return ([lines.first ?? ""] + (choices.isEmpty ? [] : [choices.joined(separator: ", ")]))
      .joined(separator: " ")
  }
}

/// Standard output could not be written.
private struct OutputError: Error, CustomStringConvertible {
  let reason: String

  var description: String {
    "standard output cannot be written: \(reason); free some space, or send it elsewhere"
  }
}

extension ExitCode {
  /// The command line was wrong.
  static let usage = ExitCode(2)
  /// The user stopped the command, as a shell reports it.
  static let interrupted = ExitCode(130)
}

/// `attune completions bash|zsh|fish`
struct CompletionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "completions",
    abstract: "Print a script by which a shell completes attune's commands and options.",
    discussion: """
      Examples:
        attune completions bash > \\
          ~/.local/share/bash-completion/completions/attune
        attune completions zsh > ~/.zfunc/_attune
        attune completions fish > ~/.config/fish/completions/attune.fish
      """)

  /// The shells that there are scripts for.
  enum Shell: String, ExpressibleByArgument, CaseIterable {
    case bash, zsh, fish
  }

  @Argument(help: "The shell: bash, zsh or fish.")
  var shell: Shell

  func run() {
    let shells: [Shell: CompletionShell] = [.bash: .bash, .zsh: .zsh, .fish: .fish]
    if let shell = shells[shell] { print(Attune.completionScript(for: shell)) }
  }
}
