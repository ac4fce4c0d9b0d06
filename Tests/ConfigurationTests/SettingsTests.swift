import Configuration
import Foundation
import Testing

@Suite struct SettingsTests {
  private func decode(_ yaml: String, _ overrides: String...) throws -> SampleSettings {
    try SampleSettings.decode(yaml: yaml, file: "sample.yaml", overrides: overrides)
  }

  private func message(_ yaml: String, _ overrides: String...) -> String? {
    do {
      _ = try SampleSettings.decode(yaml: yaml, file: "sample.yaml", overrides: overrides)
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func nothingGivesTheDefaults() throws {
    #expect(try decode("") == SampleSettings())
    #expect(try decode("# only a comment\n") == SampleSettings())
    #expect(try decode("# only a comment\n", "seed=null") == SampleSettings())
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
        - episodes: 70
        - every: 3
      """, "network.dropout=0.1", "learningRate=1_0e-3", "parameters.mass=2", "seed=7",
      "evaluation.episodes=1e2")
    var expected = SampleSettings()
    expected.environment = "walker2d"
    expected.parameters = ["gravity": -9.81, "mass": 2]
    expected.learningRate = 0.01
    expected.schedule = .linear
    expected.network.widths = [256]
    expected.network.dropout = 0.1
    expected.evaluation = .init(every: 5, episodes: 100)
    expected.stages = [.init(every: 10, episodes: 70), .init(every: 3, episodes: 50)]
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
    var configuration = SampleSettings()
    configuration.network.activation = text
    configuration.parameters = ["1": .infinity, "a b": -0.1, "small": .leastNonzeroMagnitude]
    configuration.learningRate = 0.1
    configuration.network.dropout = 1e-10
    configuration.stages = [.init()]
    configuration.seed = .max
    let yaml = try configuration.yaml()
    #expect(try decode(yaml) == configuration)
    #expect(yaml.contains("evaluation: null\n"))
    #expect(yaml.contains("widths: [512, 512]\n"))
    #expect(yaml.contains("dropout: 1.0e-10\n"))
  }

  /// Nil is written as null: left out, it would come back as the default.
  @Test func nilIsWritten() throws {
    struct Optionals: Settings {
      var number: Double? = 1
      var count: Int32? = 1
      var text: String? = "a"
      var flag: Bool? = true
      var list: [Int]? = [1]
      var section: SampleSettings.Network? = .init()
      @Setting(1...3) var level: Int? = 2
    }
    let none = Optionals(
      number: nil, count: nil, text: nil, flag: nil, list: nil, section: nil, level: nil)
    let yaml = try none.yaml()
    #expect(yaml.matches(of: #/: null\n/#).count == 7)
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
        == "sample.yaml:2: 'learningRate': found 2.0, expected 0 to 1")
    #expect(
      message("network:\n  widths: [0]\n")
        == "sample.yaml:2: 'network.widths': found [0], expected numbers above 0")
    #expect(
      message("network:\n  widths: [4]\n  dropout: 1.5\n")
        == "sample.yaml:3: 'network.dropout': found 1.5, expected 0 to 0.9")
    #expect(
      message("stages:\n- every: 1\n- episodes: 0\n")
        == "sample.yaml:3: 'stages.1.episodes': found 0, expected a number above 0")
    #expect(
      message("", "evaluation.every=-1")
        == "override 'evaluation.every=-1': 'evaluation.every': found -1, expected a number from 0")
    #expect(
      message("environment: ''\n")
        == "sample.yaml:1: 'environment': found nothing, expected the name of an environment")
  }

  /// What no setting can know alone.
  @Test func relationsNameThePlace() {
    #expect(
      message("evaluation:\n  every: 60\n")
        == "sample.yaml:2: 'evaluation.every': found 60, expected up to episodes, which is 50")
    #expect(
      message("evaluation:\n  every: 5\n", "evaluation.episodes=2")
        == "sample.yaml:2: 'evaluation.every': found 5, expected up to episodes, which is 2")
  }

  /// Ranges are the declaration's, however a value came to be.
  @Test func changedAndDecodedValuesAreCheckedAlike() throws {
    func key(_ settings: SampleSettings) -> String? {
      do {
        try settings.validate()
        return nil
      } catch {
        return (error as? ConfigurationError)?.key
      }
    }
    var changed = SampleSettings()
    #expect(key(changed) == nil)
    changed.learningRate = -1
    #expect(key(changed) == "learningRate")
    var decoded = try decode("learningRate: 0.5")
    #expect(key(decoded) == nil)
    decoded.stages = [.init(), .init(every: -1)]
    #expect(key(decoded) == "stages.1.every")
    let data = try JSONEncoder().encode(decoded)
    #expect(key(try JSONDecoder().decode(SampleSettings.self, from: data)) == "stages.1.every")
  }

  /// As environments' parameters lie in a policy's settings.
  @Test func textsByKeyAreDecodedAlike() throws {
    let found = try SampleSettings.Network.decode(
      ["dropout": "0.5"], source: "network 'a'")
    #expect(found.dropout == 0.5)
    #expect(try found.texts()["dropout"] == "0.5")
    struct Named: Settings {
      var name = ""
    }
    // Not a pair of quotes; and decoded to the same again.
    #expect(try Named().texts() == ["name": ""])
    #expect(try Named.decode(Named().texts(), source: "x").name.isEmpty)
    func message(_ values: [String: String]) -> String {
      do {
        return "\(try SampleSettings.Network.decode(values, source: "network 'a'"))"
      } catch {
        return "\(error)"
      }
    }
    #expect(
      message(["dropuot": "0.5"])
        == "network 'a': 'dropuot': is not a setting; did you mean 'dropout'?")
    #expect(
      message(["dropout": "half"])
        == "network 'a': 'dropout': found 'half', expected a number")
    #expect(message(["dropout": "2"]) == "network 'a': 'dropout': found 2.0, expected 0 to 0.9")
  }

  /// A type of settings may have other defaults in another place.
  @Test func defaultsMayBeGiven() throws {
    var defaults = SampleSettings.Network()
    defaults.activation = "mish"
    let found = try SampleSettings.Network.decode(
      yaml: "", overrides: ["dropout=0.25"], defaults: defaults)
    #expect(found.activation == "mish")
    #expect(found.dropout == 0.25)
    #expect(found.widths == [512, 512])
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
  }

  @Test func changesAreNamed() throws {
    let old = try decode("")
    let new = try decode("learningRate: 0.5\nnetwork: {widths: [1, 2]}\nparameters: {drag: 2}\n")
    let changes = try SettingChange.between(old, new).map(\.description)
    #expect(
      changes == [
        "parameters.mass 1.0 -> nothing", "parameters.drag nothing -> 2.0",
        "learningRate 1.0e-05 -> 0.5", "network.widths [512, 512] -> [1, 2]",
      ])
  }

  @Test func outlinesHaveTheSettingsInOrder() throws {
    let outline = try SettingsOutline(
      yaml: "b: {x: 1, y: [1, two], z: {}}\na: null\nc: [{k: v}]\n'quo.ted': yes\n")
    #expect(outline.entries.map(\.path) == ["b.x", "b.y", "b.z", "a", "c", "quo.ted"])
    #expect(outline.entries.map(\.value) == ["1", "1, two", "", "", "k: v", "yes"])
    #expect(outline["b.x"] == "1" && outline["a"] == nil && outline["b"] == nil)
    #expect(outline.has("b") && outline.has("b.z") && !outline.has("b.w") && !outline.has("x"))
    #expect(throws: ConfigurationError.self) { try SettingsOutline(yaml: "a: [") }
    #expect(try SettingsOutline(yaml: "").entries.isEmpty)
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
