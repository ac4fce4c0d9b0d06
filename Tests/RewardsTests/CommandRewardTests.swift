import Foundation
import Glibc
import Media
import Programs
import TestSupport
import Testing

@testable import Rewards

/// External scorers, well and badly behaved.
@Suite(.serialized) struct CommandRewardTests {
  private func scorer(
    _ script: String, count: Int = 3, timeLimit: Double = 20, in folder: TemporaryFolder
  ) throws -> [Float] {
    let (images, texts) = try Goldens.images(count)
    return try CommandReward(["/bin/sh", try folder.script(script)], timeLimit: timeLimit)
      .scores(images: images, prompts: texts)
  }

  private func failure(_ script: String, timeLimit: Double = 20) throws -> RewardError? {
    let folder = try TemporaryFolder()
    let error = #expect(throws: RewardError.self, "\(script)") {
      try scorer(script, timeLimit: timeLimit, in: folder)
    }
    #expect(error?.description.contains("\n") == false)
    return error
  }

  @Test func programsSeeImagesAndPrompts() throws {
    let folder = try TemporaryFolder()
    let (images, texts) = try Goldens.images(3)
    let script = """
      cp -r "$1" \(folder.path)/seen; cp "$2" \(folder.path)/prompts.json
      echo "$1" > \(folder.path)/where
      echo talk >&2
      echo '[1, -2.5e0, null]'
      """
    let scores = try scorer(script, in: folder)
    #expect(scores[0] == 1 && scores[1] == -2.5 && scores[2].isNaN)
    for (index, image) in images.enumerated() {
      #expect(try Image(contentsOfFile: folder.file("seen/0000\(index).png")) == image)
    }
    let prompts = try JSONDecoder().decode(
      [String].self, from: Data(contentsOf: URL(filePath: folder.file("prompts.json"))))
    #expect(prompts == texts)
    // The folder is gone.
    let place = try String(contentsOfFile: folder.file("where"), encoding: .utf8)
      .trimmingCharacters(in: .newlines)
    #expect(place.hasSuffix("/images"))
    #expect(!FileManager.default.fileExists(atPath: String(place.dropLast("/images".count))))
    #expect(
      try RewardScores([1, .nan]).values
        == RewardScores(scorer("echo '[1, NaN]'", count: 2, in: folder)).values)
  }

  /// A clip is a folder of its frames, in order, and has one number.
  @Test func programsSeeClipsAsFolders() throws {
    let folder = try TemporaryFolder()
    let (images, _) = try Goldens.images(3)
    let clips = [
      Clip(frames: images, frameRate: 8),
      Clip(frames: (0..<12).map { images[$0 % 2] }, frameRate: 8),
    ]
    let script = """
      cp -r "$1" \(folder.path)/seen
      separator='['
      for clip in "$1"/*; do
        printf '%s%s' "$separator" $(ls "$clip" | wc -l)
        separator=', '
      done
      echo ']'
      """
    let scores = try CommandReward(["/bin/sh", try folder.script(script)], timeLimit: 20)
      .scores(clips.map(Media.clip), prompts: ["a", "b"])
    #expect(scores == [3, 12])
    for (index, clip) in clips.enumerated() {
      for (place, frame) in clip.frames.enumerated() {
        let name = place < 10 ? "0\(place)" : "\(place)"
        #expect(
          try Image(contentsOfFile: folder.file("seen/0000\(index)/\(name).png")) == frame)
      }
    }
  }

  @Test func failuresAreTold() throws {
    let status = try failure("echo first >&2; echo 'no weights' >&2; exit 3")
    #expect(status?.kind == .status(3))
    #expect(status?.description.contains("status 3; it said: no weights") == true)

    let signal = try failure("echo dying >&2; kill -SEGV $$")
    #expect(signal?.kind == .signal(11))
    #expect(signal?.description.contains("signal 11") == true)

    for (script, words) in [
      ("echo hello", "printed 'hello'"), ("true", "printed nothing"),
      ("echo '[1, 2]'", "a list of 2"),
      ("echo '[1, 2, \"x\"]'", "for image 3"), ("echo '{\"a\": 1}'", "expected a JSON list of 3"),
      ("echo '[1, 2, 3] 4'", "printed"),
    ] {
      let error = try failure(script)
      #expect(error?.kind == .output, "\(script)")
      #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    let (images, texts) = try Goldens.images(1)
    let missing = #expect(throws: RewardError.self) {
      try CommandReward(["no-such-score-\(getpid())"]).scores(images: images, prompts: texts)
    }
    #expect(missing?.kind == .launch)
    #expect(missing?.description.contains("No such file") == true)
  }

  /// Whether a process is there and not dead already.
  private func isAlive(_ process: String) -> Bool {
    guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else {
      return false
    }
    return text.split(separator: ")").last?.hasPrefix(" Z") == false
  }

  @Test func hangingProgramsAndTheirChildrenAreKilled() throws {
    let folder = try TemporaryFolder()
    for (name, end) in [("hangs", "wait"), ("ends", "echo '[1, 2, 3]'")] {
      let script = """
        sleep 300 &
        echo $! > \(folder.path)/\(name)
        echo $1 > \(folder.path)/where
        echo thinking >&2
        \(end)
        """
      let start = ContinuousClock.now
      if end == "wait" {
        let error = #expect(throws: RewardError.self) {
          try scorer(script, timeLimit: 0.7, in: folder)
        }
        #expect(error?.kind == .timeOut)
        #expect(error?.description.contains("0.7 s and was killed; it said: thinking") == true)
      } else {
        #expect(try scorer(script, in: folder) == [1, 2, 3])
      }
      #expect(ContinuousClock.now - start < .seconds(15))
      let child = try String(contentsOfFile: folder.file(name), encoding: .utf8)
        .trimmingCharacters(in: .whitespacesAndNewlines)
      // A busy machine takes its time to end what was killed.
      for _ in 0..<200 where isAlive(child) { usleep(50_000) }
      #expect(!isAlive(child), "\(name): process \(child) is left")
      let place = try String(contentsOfFile: folder.file("where"), encoding: .utf8)
        .trimmingCharacters(in: .newlines)
      #expect(!FileManager.default.fileExists(atPath: place))
    }
  }

  /// A reward of minutes must not go on for a command that is no longer there.
  @Test func programsEndWithTheirCommand() throws {
    let folder = try TemporaryFolder()
    try Image(width: 4, height: 4, filledWith: .white).writePNG(to: folder.file("image.png"))
    try folder.write("echo $$ > started; mv started process; exec sleep 300", to: "score.sh")
    let command = try Attune.start(
      ["reward", "score", "--reward", "command:sh score.sh", "--prompt", "an elf", "image.png"],
      in: folder)
    let started = { FileManager.default.fileExists(atPath: folder.file("process")) }
    try command.wait(until: started)
    #expect(started())
    command.send(SIGKILL)
    _ = try command.finish()
    let scorer = try folder.text("process").trimmingCharacters(in: .newlines)
    let end = ContinuousClock.now + .seconds(10)
    while isAlive(scorer), ContinuousClock.now < end { usleep(10_000) }
    #expect(!isAlive(scorer), "process \(scorer) is left")
  }

  @Test func floodsAreStopped() throws {
    let folder = try TemporaryFolder()
    var run = ProgramRun(
      words: ["/bin/sh", "-c", "while :; do echo 11111111111111111111111111; done"],
      outputPath: folder.file("output"), errorsPath: folder.file("errors"), timeLimit: 20)
    run.byteLimit = 100_000
    #expect(try run() == .tooMuchOutput)
  }
}
