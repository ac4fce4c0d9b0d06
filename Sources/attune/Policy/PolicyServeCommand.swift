@preconcurrency import Glibc
import ArgumentParser
import DiffusionPolicies
import Dispatch
import Files
import Foundation
import PolicyServing
import Runs
import Synchronization

/// `attune policy serve --checkpoint FILE [--port 8765] [--host 127.0.0.1] [--token TEXT]`
struct PolicyServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Let a policy act for a robot over HTTP and WebSocket.",
    discussion: """
      POST /act with {"observation": [numbers]} is answered with {"action": [numbers]}; GET / \
      describes the policy, GET /statistics the server. docs/serving.md has the protocol, \
      samples/serve a client. Ctrl-C ends the server and prints its statistics.

      Examples:
        attune policy serve --checkpoint checkpoints/hopper-finetuned.safetensors
        attune policy serve --checkpoint runs/finetune/policy.safetensors \\
          --host 0.0.0.0 --port 9000 --token @token.txt
        curl -d '{"observation": [1.25,0,0,0,0,0,0,0,0,0,0]}' 127.0.0.1:8765/act
      """)

  @Option(
    help: "The policy: a checkpoint of pretrain, finetune or import.",
    completion: .file(extensions: ["safetensors"]))
  var checkpoint: String

  @Option(help: "The address to listen on; any but this machine's own needs --token.")
  var host = "127.0.0.1"

  @Option(help: "The port to listen on; 0 for a free one, which is printed.")
  var port = 8765

  @Option(
    help: """
      A text that requests must carry as 'Authorization: Bearer TEXT', 16 letters or more; \
      @FILE reads it from a file's first line, out of sight of the machine's other users.
      """)
  var token: String?

  @Option(help: "The seed of the policy's noise, in sessions that name no other.")
  var seed: UInt64 = 1_000_000

  @Option(
    help: """
      The number of chunks that a decision draws, of which it executes the one of the greatest Q; \
      as in training unless given.
      """)
  var bestOf: Int?

  @Option(help: "The number of sessions that are kept at a time.")
  var maxSessions = 64

  @Option(help: "The seconds after which a session that nobody uses is forgotten.")
  var sessionTime = 600

  @Option(help: "The number of connections that are open at a time.")
  var maxConnections = 256

  @Flag(help: "Open the policy and the address, print what GET / would, and exit.")
  var check = false

  @OptionGroup var computing: ComputingOptions

  @Flag(help: "Print warnings and errors only.")
  var quiet = false

  func validate() throws {
    try validateRange("port", port, 0...65_535)
    if let bestOf { try validateRange("best-of", bestOf, 1...10_000) }
    try validateRange("max-sessions", maxSessions, 1...100_000)
    try validateRange("session-time", sessionTime, 1...1_000_000)
    try validateRange("max-connections", maxConnections, 1...10_000)
  }

  func run() throws { try computing.run(isQuiet: quiet, compute) }

  private func compute() throws {
    let log = RunLog(isQuiet: quiet)
    let trained = try PolicyCheckpoint(path: checkpoint)
    if let note = trained.precisionNote { log.info("\(checkpoint.printable) \(note)") }
    let policy = try ServedPolicy(
      trained, name: URL(filePath: checkpoint).lastPathComponent, bestOf: bestOf)
    let server = try PolicyServer(policy, options: options()) { log.warn($0) }
    if check {
      print(try policy.description.jsonLine)
      return
    }
    // Before anybody knows of the server, and may end it.
    Interruption.install(isSilent: true)
    defer { Interruption.uninstall() }
    print("serving \(policy.description.checkpoint.printable) at http://\(server.address)")
    // For whoever waits for the port.
    fflush(stdout)
    log.info("press Ctrl-C to end")
    try serve(server)
    print(server.statistics.text)
  }

  private func options() throws -> PolicyServerOptions {
    var options = PolicyServerOptions()
    options.host = host
    // The range is checked.
    options.port = UInt16(port)
    options.token = try token.map { token in
      guard token.hasPrefix("@") else { return token }
      return try TextFile.lines(path: String(token.dropFirst())).first.map(String.init) ?? ""
    }
    options.seed = seed
    options.maxSessions = maxSessions
    options.sessionIdleTime = .seconds(sessionTime)
    options.maxConnections = maxConnections
    return options
  }

  /// Answers until the first Ctrl-C or SIGTERM; the second ends the program at once.
  private func serve(_ server: PolicyServer) throws {
    let outcome = Mutex<Result<Void, any Error>>(.success(()))
    let end = DispatchSemaphore(value: 0)
    Task {
      do {
        try await server.run()
      } catch {
        outcome.withLock { $0 = .failure(error) }
      }
      end.signal()
    }
    while end.wait(timeout: .now() + .milliseconds(50)) == .timedOut {
      if Interruption.isRequested { server.stop() }
    }
    try outcome.withLock { $0 }.get()
  }
}
