import ArgumentParser

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
