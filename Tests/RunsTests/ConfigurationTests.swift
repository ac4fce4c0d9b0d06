import Files
import Testing

@testable import Runs

@Suite struct ConfigurationTests {
  private func decode(_ yaml: String, _ overrides: String...) throws -> SampleConfiguration {
    try SampleConfiguration.decode(yaml: yaml, file: "sample.yaml", overrides: overrides)
  }

  private func message(_ yaml: String, _ overrides: String...) -> String? {
    do {
      _ = try SampleConfiguration.decode(yaml: yaml, file: "sample.yaml", overrides: overrides)
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func nothingGivesTheDefaults() throws {
    #expect(try decode("") == .defaults)
    #expect(try decode("# only a comment\n") == .defaults)
    #expect(try SampleConfiguration.load(from: nil) == .defaults)
  }

  @Test func fileAndOverridesOverlayTheDefaults() throws {
    let found = try decode(
      """
      environment: walker2d
      parameters: {gravity: -9.81}
      learningRate: 3e-4
      schedule: linear
      network:
        widths: [256]
      evaluation: {every: 5}
      stages:
        - episodes: 7
        - every: 3
      """, "network.dropout=0.1", "learningRate=1_0e-3", "parameters.mass=2", "seed=7",
      "evaluation.episodes=1e2")
    var expected = SampleConfiguration.defaults
    expected.environment = "walker2d"
    expected.parameters = ["gravity": -9.81, "mass": 2]
    expected.learningRate = 0.01
    expected.schedule = .linear
    expected.network.widths = [256]
    expected.network.dropout = 0.1
    expected.evaluation = .init(every: 5, episodes: 100)
    expected.stages = [.init(every: 10, episodes: 7), .init(every: 3, episodes: 50)]
    expected.seed = 7
    #expect(found == expected)
  }

  @Test func overridesReachIntoWhatIsNullOrFree() throws {
    let found = try decode(
      "", "evaluation.every=3", "parameters.drag=0.5", "network.widths=[64, 32]",
      "environment='a: b'")
    #expect(found.evaluation == .init(every: 3, episodes: 50))
    #expect(found.parameters == ["mass": 1, "drag": 0.5])
    #expect(found.network.widths == [64, 32])
    #expect(found.environment == "a: b")
  }

  @Test(arguments: [
    "null", "true", "1e3", "-", "a: b # c", "", "  two\nlines", "é", "\"q\"", "0x1F",
  ])
  func writtenConfigurationDecodesToTheSame(text: String) throws {
    var configuration = SampleConfiguration.defaults
    configuration.environment = text
    configuration.parameters = ["1": .infinity, "a b": -0.1, "small": .leastNonzeroMagnitude]
    configuration.learningRate = 0.1
    configuration.network.dropout = 1e-10
    configuration.stages = [.defaults]
    configuration.seed = .max
    let yaml = try configuration.yaml()
    #expect(try decode(yaml) == configuration)
    #expect(yaml.contains("evaluation: null\n"))
    #expect(yaml.contains("widths: [512, 512]\n"))
    #expect(yaml.contains("dropout: 1.0e-10\n"))
  }

  /// Nil is written as null: left out, it would come back as the default.
  @Test func nilIsWritten() throws {
    struct Optionals: RunConfiguration {
      var number: Double? = 1
      var count: Int32? = 1
      var text: String? = "a"
      var flag: Bool? = true
      var list: [Int]? = [1]
      var section: SampleConfiguration.Network? = .defaults
      static let defaults = Optionals()
    }
    let none = Optionals(
      number: nil, count: nil, text: nil, flag: nil, list: nil, section: nil)
    let yaml = try none.yaml()
    #expect(yaml.matches(of: #/: null\n/#).count == 6)
    #expect(try Optionals.decode(yaml: yaml) == none)
  }

  @Test func unknownKeyNamesLineAndNearest() {
    #expect(
      message("environment: hopper\nlearning_rate: 1\n")
        == "sample.yaml:2: 'learning_rate': is not a setting; did you mean 'learningRate'?")
    #expect(
      message("network:\n  widths: [1]\n  dropuot: 0.1\n")
        == "sample.yaml:3: 'network.dropuot': is not a setting; did you mean 'network.dropout'?")
    #expect(
      message("dropout: 0.1\n")
        == "sample.yaml:1: 'dropout': is not a setting; did you mean 'network.dropout'?")
    #expect(
      message("stages:\n- every: 1\n- evry: 2\n")
        == "sample.yaml:3: 'stages.1.evry': is not a setting; did you mean 'stages.1.every'?")
    #expect(
      message("evaluation:\n  qqqqqq: 2\n")
        == "sample.yaml:2: 'evaluation.qqqqqq': is not a setting; choose from episodes, every")
  }

  @Test func badValueNamesLineFoundAndExpected() {
    #expect(
      message("\nlearningRate: fast\n")
        == "sample.yaml:2: 'learningRate': found 'fast', expected a number")
    #expect(
      message("network:\n  widths: [1, 2.5]\n")
        == "sample.yaml:2: 'network.widths.1': found '2.5', expected a whole number")
    #expect(
      message("network:\n") == "sample.yaml:1: 'network': found nothing (null), expected a mapping "
        + "of keys")
    #expect(
      message("isNormalized: 'true'\n")
        == "sample.yaml:1: 'isNormalized': found the text 'true', expected true or false")
    #expect(
      message("seed: -1\n")
        == "sample.yaml:1: 'seed': found '-1', expected a whole number, not negative")
    #expect(
      message("schedule: cosin\n")
        == "sample.yaml:1: 'schedule': found 'cosin', expected one of cosine, linear, constant; did "
        + "you mean 'cosine'?")
    #expect(
      message("environment: [a]\n")
        == "sample.yaml:1: 'environment': found a list, expected a text")
    #expect(
      message("- 1\n") == "sample.yaml:1: found a list, expected a mapping of keys")
  }

  @Test func rangeChecksNameThePlace() {
    #expect(
      message("seed: 1\nlearningRate: 2\n")
        == "sample.yaml:2: 'learningRate': found 2.0, expected a number above 0 and below 1")
    #expect(
      message("network:\n  widths: [0]\n")
        == "sample.yaml:2: 'network.widths': found [0], expected numbers above 0")
    #expect(
      message("", "evaluation.every=0")
        == "override 'evaluation.every=0': 'evaluation.every': found 0, expected at least 1")
  }

  @Test func badOverridesAreNamed() {
    #expect(message("", "seed") == "override 'seed': has no '='; write key.path=value")
    #expect(
      message("", "network.=1")
        == "override 'network.=1': a part of the key is empty; write key.path=value")
    #expect(
      message("", "network.width=1")
        == "override 'network.width=1': 'network.width': is not a setting; did you mean "
        + "'network.widths'?")
    #expect(
      message("", "learningRate.x=1")
        == "override 'learningRate.x=1': 'learningRate': is a single value or a list, which has no "
        + "keys; override it as a whole")
    #expect(
      message("", "network.widths=[1")
        == "override 'network.widths=[1': the value is not YAML; put text with punctuation between "
        + "quotation marks")
    #expect(
      message("", "seed=x") == "override 'seed=x': 'seed': found 'x', expected a whole number, not "
        + "negative")
  }

  @Test func damagedTextNamesTheLine() {
    #expect(
      message("seed: 1\nnetwork: {widths: [1\n")?.hasPrefix("sample.yaml:3: is not YAML") == true)
    #expect(message("seed: 1\nseed: 2\n")?.contains("twice: seed") == true)
    #expect(message("a: &a [1,1]\n" + bomb)?.contains("more than 100000 values") == true)
    #expect(throws: FileError.self) { try SampleConfiguration.load(from: "no/such.yaml") }
  }

  /// Aliases of aliases, a billion values.
  private var bomb: String {
    (1...9).map { level in
      let previous = level == 1 ? "a" : "b\(level - 1)"
      let items = Array(repeating: "*\(previous)", count: 10).joined(separator: ",")
      return "b\(level): &b\(level) [\(items)]\n"
    }.joined()
  }
}
