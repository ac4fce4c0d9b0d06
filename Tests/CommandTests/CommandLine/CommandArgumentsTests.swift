import Testing

@testable import attune

/// Values that begin with a dash, empty ones, and seeds of -1.
@Suite struct CommandArgumentsTests {
  private func arguments(_ typed: String...) -> [String] {
    CommandArguments(typed) { 77 }.arguments
  }

  @Test func valuesMayBeginWithADash() {
    #expect(arguments("--prompt", "-1girl", "--count", "2") == ["--prompt=-1girl", "--count", "2"])
    #expect(arguments("--prompt", "--no hats") == ["--prompt=--no hats"])
    #expect(arguments("--prompt", "-") == ["--prompt", "-"])
    #expect(arguments("--guidance", "-1.5") == ["--guidance=-1.5"])
    #expect(arguments("--prompt=-1girl\nx") == ["--prompt=-1girl\nx"])
    // What may be an option stays one.
    for next in ["--quiet", "--count=3", "-o", "-h", "---completion"].dropLast() {
      #expect(arguments("--prompt", next) == ["--prompt", next])
    }
    #expect(arguments("--prompt", "--", "-1girl") == ["--prompt", "--", "-1girl"])
    #expect(arguments("seed=-1", "-o", "x") == ["seed=-1", "-o", "x"])
  }

  @Test func valuesMayBeEmpty() {
    #expect(arguments("--prompt=", "--quiet") == ["--prompt", "", "--quiet"])
    #expect(arguments("--prompt", "") == ["--prompt", ""])
  }

  @Test func aSeedOfMinusOneIsRandom() {
    for typed in [["--seed", "-1"], ["--seed=-1"]] {
      let arguments = CommandArguments(typed) { 77 }
      #expect(arguments.arguments == ["--seed=77"] && arguments.randomSeed == 77)
    }
    let given = CommandArguments(["--seed", "5", "--count", "-1"]) { 77 }
    #expect(given.arguments == ["--seed", "5", "--count=-1"] && given.randomSeed == nil)
    let drawn = (0..<8).compactMap { _ in CommandArguments(["--seed", "-1"]).randomSeed }
    #expect(Set(drawn).count > 1)
  }
}
