import DiffusionPolicies
import Environments
import Testing

/// A file alone starts no program.
@Suite struct ChosenEnvironmentTests {
  private let registry: EnvironmentRegistry = {
    var registry = EnvironmentRegistry.standard
    registry.register(
      .init(prefix: "program", summary: "", runsPrograms: true) { name in
        throw EnvironmentError.unknownEnvironment(name: name, nearest: nil, known: [])
      })
    return registry
  }()

  private func configuration(_ name: String) -> EnvironmentConfiguration {
    var configuration = EnvironmentConfiguration()
    configuration.name = name
    configuration.parameters = ["python": "/somewhere/python3", "timeLimit": "5"]
    return configuration
  }

  @Test func programsHaveToBeNamedByTheUser() throws {
    let own = configuration("program:walker")
    let error = #expect(throws: EnvironmentError.self) {
      try own.chosen(nil, by: "--environment", in: registry)
    }
    #expect("\(try #require(error))".contains("repeat its name with --environment"))
    let chosen = try own.chosen("program:walker", by: "--environment", in: registry)
    #expect(chosen.name == "program:walker" && chosen.parameters == ["timeLimit": "5"])
  }

  @Test func othersNeedNotBe() throws {
    let own = configuration("hopper")
    #expect(try own.chosen(nil, by: "--environment", in: registry) == own)
    let other = try own.chosen("walker2d", by: "--environment", in: registry)
    #expect(other.name == "walker2d" && other.parameters.isEmpty)
  }
}
