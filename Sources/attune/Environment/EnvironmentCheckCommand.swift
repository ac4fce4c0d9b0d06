import Training
import ArgumentParser
import Environments
import Foundation
import Runs

/// `attune environment check NAME`
struct EnvironmentCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Looks for what is wrong with an environment.",
    discussion: """
      Plays short episodes of random actions and checks spaces, seeds, saving and restoring, broken \
      numbers and pictures. Exits with 1 if anything is wrong.

      Example:
        attune environment check push-t observation=keypoints
      """)

  @OptionGroup var selection: EnvironmentSelection

  @Option(help: "Steps in a test episode.")
  var steps = 60

  @Flag(help: "Print one JSON object: environment, isSound, passed, problems [{check, finding}].")
  var json = false

  private struct Report: Encodable {
    struct Problem: Encodable {
      var check: String
      var finding: String
    }
    var environment: String
    var isSound: Bool
    var passed: [String]
    var problems: [Problem]
  }

  func validate() throws {
    try validateRange("steps", steps, 1...100_000)
  }

  func run() throws {
    RunLog().takeEnvironmentWarnings()
    var checker = EnvironmentChecker { try selection.make() }
    checker.seed = selection.seed
    checker.stepCount = steps
    let report = try checker.run()
    if json {
      let output = Report(
        environment: report.environment, isSound: report.isSound, passed: report.passed,
        problems: report.problems.map {
          Report.Problem(check: $0.check.rawValue, finding: $0.finding)
        })
      print(try output.jsonLine)
    } else {
      for check in report.passed { print("sound  \(check)") }
      for problem in report.problems { print("WRONG  \(problem)") }
    }
    if !report.isSound { throw ExitCode.failure }
  }
}
