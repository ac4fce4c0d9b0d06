import Foundation
import Programs
import TestSupport
import Testing

/// Programs that are talked to, written for the shell that every system has.
@Suite struct ProgramTests {
  private func shell(_ text: String) throws -> Program { try Program(["/bin/sh", "-c", text]) }

  @Test func answersInLinesAndBytes() throws {
    let program = try shell("while read -r line; do echo \"heard $line\"; printf 'abc\\n'; done")
    for request in ["one", "", "three words here"] {
      try program.send(line: request)
      #expect(try program.receiveLine() == "heard \(request)")
      #expect(try program.receive(byteCount: 4) == Array("abc\n".utf8))
    }
  }

  /// More than fits into the pipes between, in both directions and in its complaints.
  @Test func longMessagesDoNotBlock() throws {
    let program = try shell(
      "exec 3<&0; cat <&3 >&2 & head -c 1000000 /dev/zero | tr '\\0' x; echo; wait")
    try program.send([UInt8](repeating: 65, count: 2_000_000))
    let line = try program.receiveLine()
    #expect(line.utf8.count == 1_000_000 && line.allSatisfy { $0 == "x" })
  }

  @Test(arguments: [
    ("echo 'first' >&2; echo 'the motor burned' >&2; exit 3", ProgramError.Kind.status(3)),
    ("echo 'the motor burned' >&2; kill -9 $$", .signal(9)),
    ("echo 'the motor burned' >&2; exec >&-; sleep 100", .output),
  ])
  func itsEndIsToldWithWhatItSaid(text: String, kind: ProgramError.Kind) throws {
    let program = try shell("read -r line; " + text)
    try program.send(line: "go")
    let error = #expect(throws: ProgramError.self) { try program.receiveLine() }
    #expect(error?.kind == kind && error?.said.hasSuffix("the motor burned") == true)
    // It stays dead.
    #expect(throws: try #require(error)) { try program.send(line: "go") }
  }

  @Test func silenceIsNotWaitedForForever() throws {
    let program = try shell("echo 'thinking' >&2; sleep 1000")
    let error = #expect(throws: ProgramError.self) { try program.receiveLine(within: 0.3) }
    #expect(error?.kind == .timeOut)
    #expect(error.map { "\($0)" }?.contains("did not answer within 0.3 s and was killed") == true)
  }

  @Test func whatDoesNotExistIsNotStarted() {
    let error = #expect(throws: ProgramError.self) { try Program(["/nowhere/at-all", "x"]) }
    #expect(error?.kind == .start && error?.said == "")
    #expect(
      error.map { "\($0)" }
        == "program '/nowhere/at-all x' cannot be started: No such file or directory")
  }

  /// Its input ends, and it may leave by itself.
  @Test func endingIsNoKilling() throws {
    let folder = try TemporaryFolder()
    let program = try shell("cat > /dev/null; echo left > '\(folder.path)/note'")
    program.end(within: 60)
    #expect(try String(contentsOfFile: "\(folder.path)/note", encoding: .utf8) == "left\n")
    #expect(throws: ProgramError.self) { try program.receiveLine() }
  }
}
