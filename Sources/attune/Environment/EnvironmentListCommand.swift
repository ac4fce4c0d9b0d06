import ArgumentParser
import Environments
import Foundation

/// `attune environment list`
struct EnvironmentListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Shows the environments and their parameters.",
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
