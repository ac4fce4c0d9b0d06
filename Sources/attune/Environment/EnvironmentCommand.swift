import ArgumentParser
import DiffusionPolicies
import Environments
import Foundation
import PythonEnvironments
import Runs
import Training

/// `attune environment`: what there is to act in.
struct EnvironmentCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "environment",
    abstract: "List, check and render simulated environments.",
    discussion: """
      Example:
        attune environment list
        attune environment check hopper version=v5
        attune environment render push-t --output push-t.mp4
      """,
    subcommands: [
      EnvironmentListCommand.self, EnvironmentCheckCommand.self, EnvironmentRenderCommand.self,
    ])
}

/// What the commands about one environment share.
struct EnvironmentSelection: ParsableArguments {
  @Argument(
    help: "The environment's name, as 'attune environment list' shows it.",
    completion: .list(EnvironmentRegistry.standard.entries.map(\.name)))
  var name: String

  @OptionGroup var arguments: EnvironmentArguments

  @Option(help: "The seed of the first episode.")
  var seed: UInt64 = 0

  /// Makes the environment.
  func make() throws -> any Environment {
    try EnvironmentRegistry.standard.make(name, try arguments.values())
  }
}

/// `attune environment list`
struct EnvironmentListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the environments and their parameters.",
    discussion: """
      Example:
        attune environment list --json
      """)

  @Flag(help: "Print one JSON object: environments [{name, summary, parameters}].")
  var json = false

  private struct Report: Encodable {
    struct Item: Encodable {
      var name: String
      var summary: String
      var parameters: [Parameter]
    }
    struct Parameter: Encodable {
      var key: String
      var defaultValue: String
      var choices: [String]?
      var range: String?
      var meaning: String
    }
    var environments: [Item]
  }

  func run() throws {
    let items = EnvironmentRegistry.standard.entries.map { entry in
      Report.Item(
        name: entry.name, summary: entry.summary,
        parameters: entry.parameters.map {
          Report.Parameter(
            key: $0.key, defaultValue: $0.defaultText, choices: $0.choices, range: $0.range,
            meaning: $0.meaning ?? "")
        })
    }
    if json {
      print(try Report(environments: items).jsonLine)
      return
    }
    for item in items {
      print("\(item.name): \(item.summary)")
      for parameter in item.parameters {
        let values = parameter.range ?? parameter.choices?.joined(separator: " or ")
        print(
          "  \(parameter.key)=\(parameter.defaultValue)  \(parameter.meaning)"
            + (values.map { " (\($0))" } ?? ""))
      }
    }
    for resolver in EnvironmentRegistry.standard.resolvers {
      print("\(resolver.prefix):NAME: \(resolver.summary)")
    }
  }
}

/// `attune environment check NAME`
struct EnvironmentCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check an environment for errors.",
    discussion: """
      Plays short episodes of random actions and checks spaces, seeds, saving and restoring, broken \
      numbers and images; prints sizes, limit and speed. Exits with 1 if anything is wrong.

      Example:
        attune environment check push-t observation=keypoints
        attune environment check gymnasium:Hopper-v5 python=venv/bin/python3
      """)

  @OptionGroup var selection: EnvironmentSelection

  @Option(help: "Steps in a test episode.")
  var steps = 60

  @Flag(
    help: "Print one JSON object: environment, isValid, passed, problems [{check, finding}], facts."
  )
  var json = false

  private struct Report: Encodable {
    struct Problem: Encodable {
      var check: String
      var finding: String
    }
    var environment: String
    var isValid: Bool
    var passed: [String]
    var problems: [Problem]
    var facts: [String: String]
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
    // One that only ignores its seeds still plays.
    let facts = report.problems.contains { $0.check == .spaces } ? [] : try facts()
    if json {
      let output = Report(
        environment: report.environment, isValid: report.isValid, passed: report.passed,
        problems: report.problems.map {
          Report.Problem(check: $0.check.rawValue, finding: $0.finding)
        }, facts: Dictionary(facts) { first, _ in first })
      print(try output.jsonLine)
    } else {
      for check in report.passed { print("ok    \(check)") }
      for problem in report.problems { print("FAIL  \(problem)") }
      if !facts.isEmpty { print(alignedColumns(facts.map { ["\($0):", $1] })) }
    }
    if !report.isValid { throw ExitCode.failure }
  }

  /// What the environment is like, and where it comes from.
  private func facts() throws -> [(String, String)] {
    let environment = try selection.make()
    let facts = try EnvironmentFacts(environment).lines.map { ($0.name, $0.value) }
    guard let python = environment.layer(PythonEnvironment.self) else { return facts }
    let count = python.processCount
    let speed = try EnvironmentSpeed(count: count) { try selection.make() }
    return facts + [("speed side by side", "\(speed.words) in \(count.counting("process"))")]
      + (try python.facts().map { ($0.name, $0.value) })
  }
}

/// Parameters of an environment as arguments: `version=v5 timeLimit=200`.
struct EnvironmentArguments: ParsableArguments {
  @Argument(help: "Parameters of the environment, such as version=v5 or timeLimit=200.")
  var parameters: [String] = []

  func validate() throws { _ = try values() }

  /// The values by key.
  ///
  /// - Throws: `ValidationError` for what is no `key=value`, and for a key that is given twice.
  func values() throws -> [String: String] {
    var values: [String: String] = [:]
    for parameter in parameters {
      let parts = parameter.split(
        separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty else {
        throw ValidationError("'\(parameter)' is no parameter: write key=value")
      }
      let (key, value) = (String(parts[0]), String(parts[1]))
      if let other = values.updateValue(value, forKey: key), other != value {
        throw ValidationError(
          "parameter '\(key)' is given twice, as '\(other)' and as '\(value)'")
      }
    }
    return values
  }
}

/// The environment that a policy is to be played in, if it is not that of its checkpoint.
struct EnvironmentChoice {
  /// Nil for that of the checkpoint.
  var name: String?
  /// In place of those of the checkpoint.
  var parameters: [String: String]

  /// The environment of a checkpoint with what was chosen. Its parameters belong to it: another one
  /// does not take them over.
  ///
  /// - Throws: `EnvironmentError.unconfirmed` if the checkpoint alone names a program.
  func applied(to own: EnvironmentConfiguration) throws -> EnvironmentConfiguration {
    var chosen = try own.chosen(name, by: "--environment")
    chosen.parameters.merge(parameters) { $1 }
    return chosen
  }
}

extension EnvironmentConfiguration {
  /// Every parameter with its value, as far as the environment is known; else those that are set.
  var allParameters: [String: String] {
    get throws {
      guard EnvironmentRegistry.standard.knows(name) else {
        return parameters
      }
      return try EnvironmentRegistry.standard.parameters(
        of: name, given: parameters)
    }
  }

  /// In what this environment differs from another one, as in `timeLimit=40 instead of 300`; nil if
  /// it does not.
  func differences(from other: EnvironmentConfiguration) throws -> String? {
    guard name == other.name else {
      let lost = other.parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
      return "'\(name)' instead of '\(other.name)'"
        + (lost.isEmpty ? "" : ", without its \(lost.joined(separator: " "))")
    }
    let (own, others) = (try allParameters, try other.allParameters)
    let differences = own.keys.sorted().compactMap { key -> String? in
      guard let value = own[key], let before = others[key], value != before else { return nil }
      return "\(key)=\(value) instead of \(before)"
    }
    return differences.isEmpty ? nil : differences.joined(separator: ", ")
  }
}
