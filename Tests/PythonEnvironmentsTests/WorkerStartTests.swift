import Configuration
import DiffusionPolicies
import Environments
import Foundation
import Testing

@testable import PythonEnvironments

/// When processes are started, what is told meanwhile, and that both sides speak one protocol.
@Suite(.enabled(if: FakeGymnasium.isAvailable, "needs python3 with numpy"))
struct WorkerStartTests {
  /// A Python that writes a line whenever it is started.
  private func countingPython(in folder: String) throws -> (path: String, count: () -> Int) {
    let (path, log) = ("\(folder)/python", "\(folder)/starts")
    let text = "#!/bin/sh\necho started >> '\(log)'\nexec '\(FakeGymnasium.python)' \"$@\"\n"
    _ = FileManager.default.createFile(
      atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o755])
    return (
      path,
      {
        let lines = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        return lines.count { $0 == "\n" }
      }
    )
  }

  /// Other tests drop environments at the same time, of which one is kept: so the best of several
  /// attempts counts.
  private func leastStarts(_ body: (_ python: String) throws -> Void) throws -> Int {
    try (0..<20).map { _ in
      try inTemporaryFolder { folder in
        let (python, count) = try countingPython(in: folder)
        try body(python)
        return count()
      }
    }.min() ?? 0
  }

  /// What told its spaces to a training that checked them is its first environment.
  @Test func whatOnlyToldItsSpacesIsTheFirstEnvironment() throws {
    let starts = try leastStarts { python in
      var configuration = PolicyConfiguration()
      configuration.environment.name = "gymnasium:Point-v0"
      configuration.environment.parameters = ["python": python, "workers": "1"]
      let spaces = try FakeGymnasium.registry.make(
        "gymnasium:Point-v0", configuration.environment.parameters)
      func ranges(_ space: BoxSpace) -> MinMaxNormalization {
        MinMaxNormalization(
          minimum: [Float](repeating: -1, count: space.count),
          maximum: [Float](repeating: 1, count: space.count))
      }
      let environment = try PolicyEnvironment(
        configuration,
        normalization: DemonstrationNormalization(
          observations: ranges(spaces.observationSpace), actions: ranges(spaces.actionSpace)),
        registry: FakeGymnasium.registry)
      let vector = try environment.makeVector(count: 2, seed: 3)
      #expect(vector.observations.count == 2)
    }
    #expect(starts == 1)
  }

  @Test func whatWasPlayedInIsNotKept() throws {
    let starts = try leastStarts { python in
      for _ in 0..<2 {
        let environment = try FakeGymnasium.make("Point-v0", ["python": python])
        try environment.reset(seed: 1)
      }
    }
    #expect(starts == 2)
  }

  /// An environment that was kept plays as a new one does.
  @Test func keptEnvironmentsAreAsNew() throws {
    func observations() throws -> [Float] {
      let environment = try FakeGymnasium.make("Point-v0")
      try environment.reset(seed: 4)
      let first = environment.observation
      try environment.step([0.5, 0.25])
      return first + environment.observation
    }
    let new = try observations()
    for _ in 0..<3 {
      _ = try FakeGymnasium.make("Point-v0")
      #expect(try observations() == new)
    }
  }

  @Test func anotherProtocolIsRefused() throws {
    var parameters = PythonParameters()
    parameters.python = FakeGymnasium.python
    var settings = try parameters.settings(.gymnasium, name: "Point-v0")
    settings.protocolVersion = 7
    let worker = try PythonWorker(settings, limits: parameters.limits)
    let error = #expect(throws: EnvironmentError.self) { try worker.make() }
    let words = error.map { "\($0)" } ?? ""
    #expect(
      words.contains("knows version 1 of the protocol, and Attune speaks version 7"), "\(words)")
  }

  @Test func emptyParametersAreEmptyTexts() throws {
    let all = try FakeGymnasium.registry.parameters(of: "gymnasium:Point-v0")
    #expect(all["successKey"] == "" && all["python"] == "" && all["kwargs"] == "{}")
    // They can be given again.
    #expect(try FakeGymnasium.registry.parameters(of: "gymnasium:Point-v0", given: all) == all)
  }
}
