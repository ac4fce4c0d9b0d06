import FlyingSocks
import Glibc

/// An address to listen on.
struct ListeningAddress {
  /// Whether this machine alone reaches it.
  let isLoopback: Bool
  private let host: String
  private let port: UInt16
  private let isVersion6: Bool

  /// - Throws: `ServingError.address` if the host is no address.
  init(host: String, port: UInt16) throws(ServingError) {
    let literal = host == "localhost" ? "127.0.0.1" : host
    var (version4, version6) = (in_addr(), in6_addr())
    isVersion6 = inet_pton(AF_INET6, literal, &version6) == 1
    guard isVersion6 || inet_pton(AF_INET, literal, &version4) == 1 else { throw .address(host) }
    isLoopback =
      isVersion6
      ? withUnsafeBytes(of: version6) { $0.dropLast().allSatisfy { $0 == 0 } && $0.last == 1 }
      : withUnsafeBytes(of: version4) { $0.first == 127 }
    self.host = literal
    self.port = port
  }

  /// A socket that listens here.
  ///
  /// - Throws: `ServingError.listening` if the system refuses.
  func listen() throws(ServingError) -> Socket {
    do {
      let socket = try Socket(domain: isVersion6 ? AF_INET6 : AF_INET)
      do {
        try socket.setValue(true, for: .localAddressReuse)
        try socket.setFlags(.nonBlocking)
        if isVersion6 {
          try socket.bind(to: .inet6(ip6: host, port: port))
        } else {
          try socket.bind(to: .inet(ip4: host, port: port))
        }
        try socket.listen()
        return socket
      } catch {
        try? socket.close()
        throw error
      }
    } catch SocketError.failed(_, _, let message) {
      throw .listening(host: host, port: Int(port), reason: message)
    } catch {
      throw .listening(host: host, port: Int(port), reason: "\(error)")
    }
  }
}
