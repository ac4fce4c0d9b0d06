import Foundation
import TestSupport
import Testing

/// Help, version, completions and exit statuses.
@Suite struct HelpTests {
  @Test func everyCommandHasAnExample() throws {
    let commands = try CommandDescription.program().all()
    #expect(commands.count > 20)
    for (words, _) in commands {
      let outcome = try Attune.run(words + ["--help"])
      #expect(outcome.status == 0 && outcome.standardError.isEmpty, "\(words)")
      let help = outcome.standardOutput
      #expect(help.contains("Example:") || help.contains("Examples:"), "\(words) has no example")
      let call = (["attune"] + words).joined(separator: " ")
      #expect(help.contains("  \(call)"), "\(words) is not called in its example")
      #expect(help.contains("USAGE: \(call)"))
      let examples = help.prefix(upTo: help.range(of: "USAGE:")?.lowerBound ?? help.endIndex)
        .split(separator: "\n").drop { !$0.hasPrefix("Example") }.dropFirst()
      for line in examples {
        #expect(line.hasPrefix("  "), "\(words): the help breaks the example before '\(line)'")
      }
    }
  }

  /// An option's help is what it sets, or what to do: no question, and nothing that the program
  /// says of itself.
  @Test func optionsTellWhatTheySet() throws {
    for (words, command) in try CommandDescription.program().all() {
      for argument in command.arguments ?? [] {
        let help = try #require(argument.abstract, "\(words) \(argument.preferredName?.name ?? "")")
        let call = "\(words) \(argument.preferredName?.name ?? argument.kind): \(help)"
        #expect(help.hasSuffix("."), "\(call)")
        #expect(help.prefixMatch(of: #/(Whether|How|What|Which|Decides|Say)\b/#) == nil, "\(call)")
      }
    }
  }

  /// Messages and help name no option that there is not.
  @Test func optionsInMessagesExist() throws {
    let commands = try CommandDescription.program().all().map(\.command)
    let known = Set(commands.flatMap { $0.arguments ?? [] }.flatMap { $0.names ?? [] }.map(\.name))
    let root = URL(filePath: Repository.path("Sources"))
    // The others write for a browser, whose variables look alike, or are another program.
    let others = ["Reports", "Media", "Benchmarks"].map { root.path + "/\($0)/" }
    let files = try #require(
      FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil))
    for case let file as URL in files where file.pathExtension == "swift" {
      if others.contains(where: file.path.hasPrefix) { continue }
      let text = try String(contentsOf: file, encoding: .utf8)
        .replacing(#/(?m)^\s*\/\/.*$/#, with: "")
      for match in text.matches(of: #/(?:^|[\s"'(])--([a-z][a-z-]+)/#) {
        let name = String(match.output.1)
        // h5repack's, and what --version takes.
        let others = ["high", "verbose"]
        #expect(
          known.contains(name) || others.contains(name), "\(file.lastPathComponent): --\(name)")
      }
    }
  }

  @Test func topLevelHelpTellsExitStatuses() throws {
    let help = try Attune.run(["--help"]).standardOutput
      .split { $0.isWhitespace }.joined(separator: " ")
    #expect(help.contains("exit status is 0 when all went well, 1 when the command failed, 2 when"))
    #expect(help.contains("130 when it was interrupted"))
  }

  @Test func versionIsSaid() throws {
    let outcome = try Attune.run(["--version"])
    #expect(outcome.status == 0)
    #expect(outcome.standardOutput.wholeMatch(of: #/attune \d+\.\d+\.\d+\n/#) != nil)
  }

  /// All that decides speed and digits on a machine, for reports of what is slow or different.
  @Test func verboseVersionTellsWhatComputes() throws {
    let outcome = try Attune.run(["--version", "--verbose"])
    #expect(outcome.status == 0 && outcome.standardError.isEmpty)
    let text = outcome.standardOutput
    #expect(text.prefixMatch(of: #/attune \d+\.\d+\.\d+\n/#) != nil)
    for row in [
      "processor", "instructions", "precision highest", "precision high", "precision medium",
      "threads", "OpenBLAS", "HDF5", "FFmpeg", "MuJoCo",
    ] {
      #expect(text.contains("  \(row) "), "\(row) is missing in \(text)")
    }
    #expect(text.contains("float32"))
  }

  @Test func choicesOfTheProductAreChecked() throws {
    let wrong = try RunningProgram(
      "/usr/bin/env", ["ATTUNE_MATMUL=mkl", Attune.path, "environment", "list"]
    ).finish()
    #expect(wrong.status == 1 && wrong.lines.count == 1)
    #expect(wrong.output.contains("ATTUNE_MATMUL is 'mkl', expected auto, float32, openblas"))
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func completionsKnowTheCommands(_ shell: String) throws {
    let outcome = try Attune.run(["completions", shell])
    #expect(outcome.status == 0 && outcome.standardError.isEmpty)
    for word in ["finetune", "half-cheetah", "checkpoint"] {
      #expect(outcome.standardOutput.contains(word), "\(shell) lacks \(word)")
    }
    let interpreter = try RunningProgram("/usr/bin/env", [shell, "-c", "true"]).finish()
    guard interpreter.status == 0 else {
      print("skipped: syntax of completions: no \(shell)")
      return
    }
    let folder = try TemporaryFolder()
    try folder.write(outcome.standardOutput, to: "completions")
    let check = try RunningProgram(
      "/usr/bin/env", [shell, "-n", folder.file("completions")]
    ).finish()
    #expect(check.status == 0, "\(check.output)")
  }

  @Test func exitStatusesAreThoseOfTheHelp() throws {
    let folder = try TemporaryFolder()
    let calls: [([String], Int32)] = [
      (["environment", "list"], 0), (["--help"], 0), (["inspect", "nowhere"], 1),
      (["environment", "check", "nothing"], 1), (["image", "grid", "a.png"], 2),
      (["completions", "tcsh"], 2), (["--bogus"], 2), (["policy", "finetune"], 2),
      (["environment", "check", "hopper", "version"], 2),
    ]
    for (arguments, status) in calls {
      let outcome = try Attune.run(arguments, in: folder)
      #expect(outcome.status == status, "\(arguments): \(outcome.output)")
      #expect(outcome.lines.isEmpty == (status == 0) && outcome.lines.count <= 2)
    }
  }
}
