import Foundation
import Testing

@testable import Runs

@Suite struct InterruptionTests {
  @Test func firstSignalAsksAndSecondExits() async {
    await #expect(processExitsWith: .exitCode(130)) {
      Interruption.install()
      guard !Interruption.isRequested else { exit(1) }
      raise(SIGINT)
      guard Interruption.isRequested else { exit(2) }
      raise(SIGINT)
      exit(3)
    }
  }

  @Test func terminationCountsToo() async {
    await #expect(processExitsWith: .exitCode(143)) {
      Interruption.install()
      raise(SIGINT)
      raise(SIGTERM)
      exit(3)
    }
  }

  @Test func uninstallingLetsSignalsEndTheProgram() async {
    await #expect(processExitsWith: .signal(SIGTERM)) {
      Interruption.install()
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
      Interruption.install()
      raise(SIGTERM)
      exit(0)
    }
    let said = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(said.contains("finishing the iteration; press Ctrl-C again to stop at once\n"))
  }
}
