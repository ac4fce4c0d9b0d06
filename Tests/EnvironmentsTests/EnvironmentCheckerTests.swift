import Testing

@testable import Environments

@Suite(.serialized) struct EnvironmentCheckerTests {
  @Test(arguments: EnvironmentRegistry.standard.entries.map(\.name))
  func standardEnvironmentsAreValid(name: String) throws {
    let report = try EnvironmentChecker { try EnvironmentRegistry.standard.make(name) }.run()
    #expect(report.problems == [])
    #expect(report.passed.count == EnvironmentChecker.Check.allCases.count)
  }

  @Test func wrappedEnvironmentsAreValid() throws {
    let report = try EnvironmentChecker {
      let bounds = MinMaxNormalization(
        minimum: [0, 0, 0, 0, 0], maximum: [512, 512, 512, 512, 2 * .pi])
      let actions = MinMaxNormalization(minimum: [0, 0], maximum: [512, 512])
      let base = try EnvironmentRegistry.standard.make("push-t")
      return ActionChunks(
        ObservationHistory(
          NormalizedEnvironment(base, observations: bounds, actions: actions), count: 2),
        count: 4)
    }.run()
    #expect(report.problems == [])
  }

  @Test func aValidEnvironmentHasNoProblems() throws {
    let report = try EnvironmentChecker { FiniteGuard(LineEnvironment(), warn: { _ in }) }.run()
    #expect(report.problems == [])
  }

  @Test(
    arguments: zip(
      LineEnvironment.Fault.allCases.dropFirst(),
      [
        .spaces, .spaces, .observations, .observations, .seeding, .seeding, .independence, .saving,
        .saving, .saving, .brokenNumbers, .images, .images, .images,
      ] as [EnvironmentChecker.Check]))
  func everyFaultIsNamed(fault: LineEnvironment.Fault, check: EnvironmentChecker.Check) throws {
    let report = try EnvironmentChecker { () -> any Environment in
      let line = LineEnvironment(fault)
      // The guard would hide the faults that concern it.
      let isBare = fault == .passesNaN || fault == .infiniteReward
      return isBare ? line : FiniteGuard(line, warn: { _ in })
    }.run()
    #expect(report.problems.contains { $0.check == check }, "\(fault): \(report.problems)")
    #expect(!report.isValid && !report.passed.contains(check.rawValue))
  }
}
