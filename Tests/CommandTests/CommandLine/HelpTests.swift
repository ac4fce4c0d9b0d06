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
