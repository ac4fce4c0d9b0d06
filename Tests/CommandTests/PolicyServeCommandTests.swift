import Foundation
import Glibc
import TestSupport
import Testing

/// `attune policy serve` as a program; what it answers is in PolicyServingTests.
@Suite struct PolicyServeCommandTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.writeFinetuning()
  }

  private func serve(_ arguments: String...) throws -> ProgramOutcome {
    try Attune.run(
      ["policy", "serve", "--checkpoint", "policy.safetensors"] + arguments, in: folder)
  }

  @Test(arguments: [SIGINT, SIGTERM]) func signalsEndIt(_ signal: Int32) throws {
    let program = try Attune.start(
      ["policy", "serve", "--checkpoint", "policy.safetensors", "--port", "0"], in: folder)
    // The port is told before anybody asks.
    try program.wait { try program.standardOutput.contains("at http://127.0.0.1:") }
    program.send(signal)
    let outcome = try program.finish()
    #expect(outcome.status == 0, "\(outcome.output)")
    #expect(outcome.standardOutput.contains("0 requests, 0 decisions"))
  }

  @Test func checksDescribe() throws {
    let outcome = try serve("--port", "0", "--check")
    #expect(outcome.status == 0, "\(outcome.output)")
    let object = try JSONSerialization.jsonObject(with: Data(outcome.standardOutput.utf8))
    let description = try #require(object as? [String: Any])
    #expect(description["environment"] as? String == "push-t")
    #expect(description["observationSize"] as? Int == 5)
    #expect(description["actionSize"] as? Int == 2)
  }

  @Test func othersNeedAToken() throws {
    let outcome = try serve("--port", "0", "--check", "--host", "0.0.0.0")
    #expect(outcome.status == 1)
    #expect(outcome.lines.count == 1 && outcome.output.contains("add --token"), "\(outcome.output)")
    try folder.write("short\n", to: "token")
    #expect(try serve("--port", "0", "--check", "--token", "@token").status == 1)
    try folder.write("0123456789abcdef\n", to: "token")
    let allowed = try serve(
      "--port", "0", "--check", "--host", "0.0.0.0", "--token", "@token")
    #expect(allowed.status == 0, "\(allowed.output)")
  }
}
