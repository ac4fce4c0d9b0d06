import Foundation
import TestSupport
import Testing

/// Disks that are full or must not be written.
@Suite(.serialized) struct DiskTests {
  /// A training whose disk fills up stops with one line, and goes on when there is space.
  @Test(arguments: TinyTraining.all)
  func trainingsSurviveAFullDisk(_ training: TinyTraining) throws {
    let folder = try training.makeFolder()
    let whole = try Attune.run(training.start("whole"), in: folder)
    #expect(whole.status == 0, "\(whole.output)")
    let expected = try training.result(folder.file("whole"))
    let size = try kilobytes(folder.file("whole"))
    for fraction in [0.0, 0.3, 0.7, 0.95] {
      let disk = try SmallDisk(
        kilobytes: max(8, Int(Double(size) * fraction)), for: "full disk under \(training.command)")
      guard let disk else { return }
      let run = disk.file("run")
      let stopped = try Attune.run(training.start(run), in: folder)
      // Where only images had no room left, the training ends all the same.
      if fraction < 0.5 || stopped.status != 0 {
        expectOneLine(stopped, "No space left on device", "free some space")
      } else {
        #expect(
          stopped.lines.allSatisfy {
            $0.hasPrefix("attune: warning: no ") && $0.contains("No space left on device")
          }, "\(stopped.output)")
      }
      try disk.remount("size=\(size * 4)k")
      let hasBegun = FileManager.default.fileExists(atPath: "\(run)/config.yaml")
      let resumed = try Attune.run(
        hasBegun ? training.resume(run) : training.start(run), in: folder)
      #expect(resumed.status == 0 && resumed.output.isEmpty, "\(resumed.output)")
      #expect(try training.result(run) == expected, "full at \(fraction) of the space")
    }
  }

  /// The same by the system's limit on the size of a file, which needs no rights.
  @Test(arguments: TinyTraining.all)
  func trainingsSurviveALimitOfFileSizes(_ training: TinyTraining) throws {
    let folder = try training.makeFolder()
    let whole = try Attune.run(training.start("whole"), in: folder)
    #expect(whole.status == 0, "\(whole.output)")
    // Blocks of 512 bytes: checkpoints are larger.
    let stopped = try Attune.run(training.start("run"), in: folder, limits: ["-f 16"])
    expectOneLine(stopped, "File too large", "ulimit -f")
    let resumed = try Attune.run(training.resume("run"), in: folder)
    #expect(resumed.status == 0 && resumed.output.isEmpty, "\(resumed.output)")
    #expect(try training.result(folder.file("run")) == training.result(folder.file("whole")))
  }

  @Test(arguments: TinyTraining.all)
  func trainingsRefuseAReadOnlyDisk(_ training: TinyTraining) throws {
    let folder = try training.makeFolder()
    guard let disk = try SmallDisk(kilobytes: 20_000, for: "read-only disk") else { return }
    let run = disk.file("run")
    let begun = try Attune.run(training.start(run), in: folder)
    #expect(begun.status == 0, "\(begun.output)")
    try disk.remount("ro")
    let before = try disk.contents
    let resumed = try Attune.run(training.resume(run), in: folder)
    expectOneLine(resumed, "Read-only file system", "choose another path")
    let another = try Attune.run(training.start(disk.file("another")), in: folder)
    expectOneLine(another, "Read-only file system", "choose another path")
    #expect(try disk.contents == before)
  }

  /// Folders without permission, for those whom permissions bind.
  @Test func trainingsRefuseAFolderWithoutPermission() throws {
    guard getuid() != 0 else {
      print("skipped: folder without permission: permissions do not bind root")
      return
    }
    let training = TinyTraining.all[0]
    let folder = try training.makeFolder()
    try FileManager.default.createDirectory(
      atPath: folder.file("closed"), withIntermediateDirectories: true)
    chmod(folder.file("closed"), 0o555)
    let outcome = try Attune.run(training.start("closed/run"), in: folder)
    expectOneLine(outcome, "Permission denied", "check the permissions")
  }

  /// Commands that write one thing leave nothing behind on a full disk.
  @Test func resultsDoNotAppearInPart() throws {
    let folder = try TemporaryFolder()
    try folder.writeFinetuning()
    try folder.writeImageTraining()
    let model = try Attune.run(
      [
        "image", "train", "--config", "train.yaml", "--output", "run", "training.batchCount=1",
        "--quiet",
      ], in: folder)
    #expect(model.status == 0, "\(model.output)")
    try folder.writeActor()
    let sample = ["image", "sample", "--model", "run/model", "--steps", "1", "--prompt", "elf"]
    let drawn = try Attune.run(
      sample + ["--count", "1", "--output", "a.png", "--magnify", "8", "--quiet"], in: folder)
    #expect(drawn.status == 0, "\(drawn.output)")

    guard let disk = try SmallDisk(kilobytes: 8, for: "full disk under results") else { return }
    // Fails at its end, when the disk is full.
    try? Data(count: 1 << 20).write(to: URL(filePath: disk.file("filling")))
    let commands = [
      [
        "policy", "evaluate", "--checkpoint", "policy.safetensors", "--episodes", "1", "--video",
        disk.file("a.mp4"),
      ],
      [
        "policy", "collect", "--environment", "hopper", "--policy", "actor.safetensors",
        "--episodes", "1", "--output", disk.file("a.npz"),
      ],
      sample + ["--count", "2", "--output", disk.file("a.png")],
      sample + ["--count", "2", "--output", disk.file("images")],
      ["image", "grid", "a.png", "a.png", "--output", disk.file("b.png")],
      ["image", "video", "a.png", "a.png", "--output", disk.file("b.mp4")],
      ["environment", "render", "push-t", "--output", disk.file("c.mp4")],
    ]
    for command in commands {
      let quiet = command.contains("grid") || command.contains("video") ? [] : ["--quiet"]
      let outcome = try Attune.run(command + quiet, in: folder)
      expectOneLine(outcome, "No space left on device")
      #expect(try disk.contents.filter { $0 != "images" } == ["filling"], "\(command)")
    }
    // What is printed is a result, too.
    for command in ["environment list", "completions bash", "inspect policy.safetensors"] {
      let words = "\(try Attune.path) \(command)"
      let outcome = try RunningProgram("/bin/sh", ["-c", "\(words) > /dev/full"], in: folder)
        .finish()
      #expect(outcome.status == 1 && outcome.lines.count == 1, "\(words): \(outcome.output)")
    }
  }

  private func kilobytes(_ path: String) throws -> Int {
    let outcome = try RunningProgram("/usr/bin/env", ["du", "-sk", path]).finish()
    return Int(outcome.standardOutput.prefix { $0.isNumber }) ?? 0
  }
}
