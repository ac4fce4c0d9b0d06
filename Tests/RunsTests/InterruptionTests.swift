import Foundation
import Testing

@testable import Runs

@Suite struct InterruptionTests {
  @Test func firstSignalAsksAndSecondExits() async {
    await #expect(processExitsWith: .exitCode(130)) {
      listen()
      guard !Interruption.isRequested else { exit(1) }
      raise(SIGINT)
      guard Interruption.isRequested else { exit(2) }
      raise(SIGINT)
      exit(3)
    }
  }

  @Test func terminationCountsToo() async {
    await #expect(processExitsWith: .exitCode(143)) {
      listen()
      raise(SIGINT)
      raise(SIGTERM)
      exit(3)
    }
  }

  @Test func uninstallingLetsSignalsEndTheProgram() async {
    await #expect(processExitsWith: .signal(SIGTERM)) {
      listen()
      raise(SIGINT)
      Interruption.uninstall()
      guard !Interruption.isRequested else { exit(1) }
      raise(SIGTERM)
      exit(3)
    }
  }

  @Test func saysHowToStopAtOnce() async throws {
    let result = await #expect(
      processExitsWith: .success, observing: [\.standardErrorContent]
    ) {
      listen()
      raise(SIGTERM)
      exit(0)
    }
    let said = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(said.contains("finishing the iteration; press Ctrl-C again to stop at once\n"))
  }
}

/// Listens as a program does; the testing library starts processes with all signals blocked.
private func listen() {
  var all = sigset_t()
  sigfillset(&all)
  pthread_sigmask(SIG_UNBLOCK, &all, nil)
  Interruption.install()
}
