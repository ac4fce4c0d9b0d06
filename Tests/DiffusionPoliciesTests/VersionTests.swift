import Environments
import Testing

@testable import DiffusionPolicies

/// The target task in some version of a package.
private final class VersionedTarget: EnvironmentWrapper {
  let base: any Environment = TargetEnvironment()
  let versions = ["python": "3.11.2", "mujoco": "3.3.0"]
}

/// What environments compute with is kept with a run, so that another version is told at its resume.
@Suite struct VersionTests {
  @Test func versionsAreSavedWhereThereAreAny() throws {
    var registry = EnvironmentRegistry()
    registry.register(
      .init(name: "target", summary: "a point on a line", timeLimit: 12) { _ in VersionedTarget() })
    func state(_ registry: EnvironmentRegistry) throws -> RolloutCollector.State {
      let environment = try PolicyEnvironment(
        try TargetTraining.start().configuration, normalization: TargetTraining.normalization,
        registry: registry)
      return try RolloutCollector(environment, count: 2, seed: 1).state(withEpisodes: true)
    }
    #expect(try state(registry).versions == ["python": "3.11.2", "mujoco": "3.3.0"])
    #expect(try state(TargetEnvironment.registry).versions == nil)
  }

  @Test func otherVersionsAreTold() {
    func warning(_ now: [String: String]) -> String? {
      RolloutCollector.versionWarning(
        "lab:reach", saved: ["python": "3.11.2", "mujoco": "3.3.0"], now: now)
    }
    #expect(warning(["mujoco": "3.3.0", "python": "3.11.2"]) == nil)
    let words = warning(["mujoco": "3.4.0", "python": "3.11.2", "numpy": "2.0"])
    #expect(
      words?.hasPrefix(
        "environment lab:reach has mujoco 3.4.0 instead of 3.3.0, numpy 2.0 instead of none since ")
        == true)
  }
}
