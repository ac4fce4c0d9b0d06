import Configuration

/// Why a policy cannot be served, or cannot act.
public enum ServingError: Error, Equatable, CustomStringConvertible {
  /// An observation of another size, or with a number that the policy cannot take.
  case observation(String)
  /// An action that is not finite.
  case brokenAction
  /// No address of this machine's.
  case address(String)
  /// Other machines could reach the server, and nothing keeps them from it.
  case unprotected(String)
  /// A token that is too easily guessed, or does not fit into a header.
  case token
  /// The system does not let the server listen.
  case listening(host: String, port: Int, reason: String)

  /// What is wrong, and what to do.
  public var description: String {
    switch self {
    case .observation(let problem): problem
    case .brokenAction:
      "the policy's action is not finite: the checkpoint is broken; stop the robot"
    case .address(let host):
      "'\(host.printable)' is no address: give one such as 127.0.0.1, 0.0.0.0 or ::1, or localhost"
    case .unprotected(let host):
      """
      whoever reaches \(host.printable) could move the robot: add --token TEXT, or serve this \
      machine alone at 127.0.0.1
      """
    case .token:
      """
      a token has 16 to 512 letters, digits and signs, no spaces; make one with 'openssl rand -hex 16'
      """
    case .listening(let host, let port, let reason):
      """
      cannot listen on \(host.printable) port \(port): \(reason); choose another port, or 0 for a \
      free one
      """
    }
  }
}

/// A request that is answered with a status and one line.
struct RequestFailure: Error, Equatable {
  /// HTTP's status.
  var status: Int
  /// What was expected.
  var message: String

  init(_ status: Int, _ message: String) {
    self.status = status
    self.message = message
  }

  /// What a request that failed for some reason is answered with.
  init(_ error: any Error) {
    switch error {
    case let failure as RequestFailure: self = failure
    case ServingError.observation(let problem): self.init(400, problem)
    default: self.init(500, "\(error)")
    }
  }
}

extension RequestFailure {
  /// Wrong content.
  static func malformed(_ message: String) -> RequestFailure { RequestFailure(400, message) }
}
