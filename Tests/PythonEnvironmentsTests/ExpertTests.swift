import Configuration
import DiffusionPolicies
import Environments
import Foundation
import PythonEnvironments
import Testing

/// Experts of `Fixtures/experts.py`, in environments of Python and beside one of Attune's.
enum FakeExperts {
  static func expert(
    _ name: String, _ keywords: [String: String] = [:], isBeside: Bool = false,
    timeLimit: Double? = nil
  ) throws -> PythonExpert {
    try PythonExpert(
      "python:\(FakeGymnasium.folder)/experts.py:\(name)", keywords: keywords,
      python: isBeside ? FakeGymnasium.python : "", timeLimit: timeLimit)
  }

  /// Environments with an expert in each.
  static func environments(
    _ expert: PythonExpert, count: Int = 1, of name: String = "Point-v0",
    parameters: [String: String] = [:]
  ) throws -> [ExpertEnvironment] {
    let own = ["python": FakeGymnasium.python, "workers": "2", "timeLimit": "6"]
    return try expert.attached(
      to: FakeGymnasium.registry.make(
        "gymnasium:\(name)", own.merging(parameters) { $1 }, count: count, stepping: .byThemselves))
  }

  /// Push-T, which is Attune's own, with an expert beside each.
  static func besides(_ expert: PythonExpert, count: Int = 1) throws -> [ExpertEnvironment] {
    try expert.attached(
      to: EnvironmentRegistry.standard.make("push-t", ["timeLimit": "6"], count: count))
  }

  static func collect(
    _ episodes: Int, in environments: [ExpertEnvironment], noise: Double = 0
  ) throws -> Demonstrations {
    var collected = CollectedDemonstrations()
    try DemonstrationCollector(
      environments: environments, seed: 4, actions: .clipped(noise: noise)
    ) { environment, _ in
      let environment = try #require(environment as? ExpertEnvironment)
      return { _, _ in try environment.expertAction() }
    }.collect(into: &collected, episodes: episodes)
    return try #require(collected.demonstrations)
  }

  /// What an expert that misbehaves says.
  static func words(_ environments: () throws -> [ExpertEnvironment]) -> String {
    do {
      _ = try collect(1, in: environments())
      return "nothing"
    } catch {
      return "\(error)"
    }
  }
}

@Suite(.enabled(if: FakeGymnasium.isAvailable, "needs python3 with numpy"))
struct ExpertTests {
  @Test func actionsAreThoseOfTheClass() throws {
    let expert = try FakeExperts.expert("Homing", ["gain": "0.25"])
    let environment = try FakeExperts.environments(expert)[0]
    try environment.reset(seed: 3)
    for _ in 0..<4 {
      let observation = environment.observation
      let action = try #require(try environment.expertAction())
      #expect(zip(action, observation).allSatisfy { abs($0 + 0.25 * $1) < 1e-6 })
      try environment.step(action)
    }
  }

  @Test func keywordsHaveTheTypesOfJSON() throws {
    let expert = try FakeExperts.expert(
      "Typed", ["gain": "0.5", "name": "peg-v3", "isFast": "true", "sizes": "[1, 2]"])
    #expect(FakeExperts.words { try FakeExperts.environments(expert) } == "nothing")
  }

  /// A Dict with an image, whatever the policy is to see of it.
  @Test func observationsAreTheEnvironmentsOwn() throws {
    let expert = try FakeExperts.expert("Keyed")
    let environment = try FakeExperts.environments(
      expert, of: "Camera-v0", parameters: ["observations": "place"])[0]
    try environment.reset(seed: 2)
    let start = environment.observation
    #expect(start.count == 2)
    #expect(try environment.expertAction() == start.map { -$0 })
  }

  @Test func itSeesTheEnvironmentIfItSaysSo() throws {
    let expert = try FakeExperts.expert("Seeing")
    let environment = try FakeExperts.environments(expert)[0]
    try environment.reset(seed: 5)
    let expected = environment.observation.map { min(max(-$0, -1), 1) }
    for _ in 0..<3 {
      let action = try #require(try environment.expertAction())
      #expect(action == expected)
      try environment.step(action)
    }
    let words = FakeExperts.words {
      try FakeExperts.besides(FakeExperts.expert("Seeing", isBeside: true))
    }
    #expect(words.contains("it wants to see the environment ('env')"), "\(words)")
  }

  /// Attune's own environments are observed as an array of float32.
  @Test func itActsBesideAnEnvironmentOfAttune() throws {
    let expert = try FakeExperts.expert("Beside", ["size": "2"], isBeside: true)
    let environments = try FakeExperts.besides(expert, count: 3)
    #expect(environments.allSatisfy { $0.lane != nil })
    for environment in environments {
      try environment.reset(seed: 5)
      for _ in 0..<3 {
        let observation = environment.observation
        let action = try #require(try environment.expertAction())
        #expect(action == observation.prefix(2).map { $0 / 4 })
        try environment.step(action)
      }
    }
    let demonstrations = try FakeExperts.collect(5, in: environments)
    #expect(demonstrations.lengths == [6, 6, 6, 6, 6])
    let one = try FakeExperts.collect(5, in: FakeExperts.besides(expert))
    #expect(one.states == demonstrations.states && one.actions == demonstrations.actions)
  }

  /// The episode's seed decides what it draws, and the noise, whoever plays the episode.
  @Test func seedsDecideEpisodes() throws {
    let expert = try FakeExperts.expert("Drawing")
    func collect(_ count: Int, noise: Double) throws -> Demonstrations {
      try FakeExperts.collect(5, in: FakeExperts.environments(expert, count: count), noise: noise)
    }
    let (one, three) = (try collect(1, noise: 0), try collect(3, noise: 0))
    #expect(one.actions == three.actions && one.states == three.states)
    #expect(Set(one.actions).count == one.actions.count)
    let noisy = try collect(2, noise: 0.3)
    #expect(noisy.actions == (try collect(3, noise: 0.3)).actions)
    #expect(noisy.actions != one.actions)
  }

  /// What is recorded is what was done.
  @Test func actionsAreClippedToTheirBounds() throws {
    let expert = try FakeExperts.expert("Homing", ["gain": "50"])
    let demonstrations = try FakeExperts.collect(2, in: FakeExperts.environments(expert))
    #expect(demonstrations.actions.allSatisfy { abs($0) <= 1 })
    let (states, actions) = (demonstrations.states, demonstrations.actions)
    for index in 2..<demonstrations.lengths[0] * 2 {
      let expected = states[index - 2] + actions[index - 2]
      #expect(abs(states[index] - expected) < 1e-5)
    }
  }

  @Test func metaworldsScriptedPoliciesAct() throws {
    let sample = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../../samples/metaworld/expert.py").path
    func expert(_ task: String) throws -> PythonExpert {
      try PythonExpert("python:\(sample):Expert", keywords: ["task": task])
    }
    let environment = try FakeExperts.environments(expert("point-v3"))[0]
    for seed in 0..<2 {
      try environment.reset(seed: UInt64(seed))
      for step in 1..<3 {
        let observation = environment.observation
        let action = try #require(try environment.expertAction())
        #expect(zip(action, observation).allSatisfy { abs($0 + $1 / Float(step)) < 1e-6 })
        try environment.step([0, 0])
      }
    }
    let words = FakeExperts.words { try FakeExperts.environments(expert("no-such-task")) }
    #expect(words.contains("no scripted policy of 'no-such-task'; there are point-v3"), "\(words)")
  }
}

/// Each fault of an expert is a line that names it, and loses what an environment's loses.
@Suite(.enabled(if: FakeGymnasium.isAvailable, "needs python3 with numpy"))
struct ExpertFaultTests {
  /// Other environments than those of tests that run at the same time: equal ones are in the process
  /// that ends.
  private func ownProcess(_ size: Int) -> [String: String] {
    ["kwargs": "{\"size\": \(size)}", "restarts": "0"]
  }

  private func words(_ fault: String, timeLimit: Double? = nil) throws -> String {
    let expert = try FakeExperts.expert("Faulty", ["fault": fault], timeLimit: timeLimit)
    let size = ["die", "hang"].firstIndex(of: fault) ?? 4
    return FakeExperts.words {
      try FakeExperts.environments(expert, parameters: ownProcess(size + 1))
    }
  }

  @Test func exceptionsHaveTheirPlace() throws {
    let words = try words("raise")
    #expect(
      words.hasPrefix(
        "the expert \(FakeGymnasium.folder)/experts.py:Faulty failed while it was to "),
      "\(words)")
    #expect(words.contains("to act: RuntimeError: the arm is asleep ("), "\(words)")
    #expect(words.contains("in act); the whole traceback is in "), "\(words)")
    #expect(try self.words("make").contains("to be made: ValueError: no plan"))
    #expect(try self.words("reset").contains("to reset: ValueError: no way"))
    #expect(try self.words("leave").contains("to act: SystemExit: 4"))
  }

  @Test func wrongActionsAreNamed() throws {
    #expect(
      try words("shape").hasSuffix(
        "to act: its action has the shape [1], and the environment takes [2]"))
    #expect(try words("nan").hasSuffix("to act: its action is not finite: [nan, nan]"))
    #expect(
      try words("nothing").hasSuffix("its action is of the type NoneType and no array of numbers"))
    #expect(
      try words("text").hasSuffix("its action is of the type str and no array of numbers"))
  }

  @Test func whatIsMissingIsNamed() throws {
    func words(_ text: String) -> String {
      FakeExperts.words { try FakeExperts.environments(PythonExpert(text)) }
    }
    #expect(words("python:nowhere.py:Expert").hasSuffix("there is no file 'nowhere.py'"))
    let file = "python:\(FakeGymnasium.folder)/experts.py"
    #expect(words("\(file):Nobody").hasSuffix("has no 'Nobody'"))
    #expect(words("\(file):Idle").hasSuffix("it has no method 'act(observation)'"))
    #expect(words("python:no_such_module:Expert").contains("has no module 'no_such_module'"))
    for text in ["experts.py:Homing", "python:experts.py", "python::Homing", "python:a.py:", ""] {
      #expect(throws: ConfigurationError.self) { try PythonExpert(text) }
    }
    // One Python is enough.
    let second = try FakeExperts.expert("Homing", isBeside: true)
    #expect(throws: ConfigurationError.self) { try FakeExperts.environments(second) }
  }

  @Test func endsAndHangsAreNamed() throws {
    #expect(try words("die").contains("to act: its Python process ended with status 5"))
    let words = try words("hang", timeLimit: 0.5)
    #expect(words.contains("did not answer within 0.5 s and was killed; it was at"), "\(words)")
    #expect(words.contains("experts.py") && words.contains("in act"), "\(words)")
  }

  /// An episode that is lost with its process is played again, beside Attune's environments too.
  @Test(arguments: [false, true])
  func lostEpisodesArePlayedAgain(isBeside: Bool) throws {
    try inTemporaryFolder { folder in
      func collect(_ fault: String) throws -> Demonstrations {
        let expert = try FakeExperts.expert(
          "Mortal", ["fault": fault, "once": "\(folder)/died"], isBeside: isBeside)
        let own = ownProcess(3).merging(["restarts": "1"]) { $1 }
        return try FakeExperts.collect(
          3,
          in: isBeside
            ? FakeExperts.besides(expert) : FakeExperts.environments(expert, parameters: own))
      }
      let disturbed = try collect("die")
      #expect(FileManager.default.fileExists(atPath: "\(folder)/died"))
      let expected = try collect("none")
      #expect(disturbed.states == expected.states && disturbed.actions == expected.actions)
      #expect(disturbed.lengths == [6, 6, 6])
    }
  }

  @Test func faultsBesideAnEnvironmentOfAttuneAreTheExperts() throws {
    func words(_ name: String, _ keywords: [String: String] = [:]) throws -> String {
      let expert = try FakeExperts.expert(name, keywords, isBeside: true)
      return FakeExperts.words { try FakeExperts.besides(expert) }
    }
    #expect(try words("Faulty", ["fault": "raise"]).contains("to act: RuntimeError: the arm"))
    #expect(try words("Faulty", ["fault": "shape"]).contains("the environment takes [2]"))
    let often = try words("Faulty", ["fault": "die"])
    #expect(often.contains("ended with status 5; it was started anew 3 times"), "\(often)")
    let expert = try PythonExpert("python:no_such_module:Expert", python: FakeGymnasium.python)
    #expect(
      FakeExperts.words { try FakeExperts.besides(expert) }.contains(
        "or name another Python with --expert-python"))
    let nowhere = try PythonExpert("python:a.py:A", python: "no-such-python")
    #expect(
      FakeExperts.words { try FakeExperts.besides(nowhere) }.hasPrefix("the expert a.py:A failed"))
  }
}
