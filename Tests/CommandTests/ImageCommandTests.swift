import Files
import Foundation
import Media
import TestSupport
import Testing

/// `attune image train` and `attune image sample`, from paper dolls to images.
@Suite(.serialized) struct ImageCommandTests {
  private let folder: TemporaryFolder
  private var url: URL { folder.url }

  init() throws {
    folder = try TemporaryFolder()
    try folder.writeImageTraining()
  }

  private func train(_ arguments: String...) throws -> ProgramOutcome {
    try Attune.run(["image", "train"] + arguments, in: folder)
  }

  private func sample(_ arguments: String...) throws -> ProgramOutcome {
    try Attune.run(["image", "sample"] + arguments, in: folder)
  }

  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: url.appending(path: name))
  }

  @Test func trainingGoesOnMetricForMetric() throws {
    let whole = try train("--config", "train.yaml", "--output", "whole")
    #expect(whole.status == 0, "\(whole.output)")
    #expect(try folder.text("whole/metrics.jsonl").split(separator: "\n").count == 4)
    #expect(
      try Image(contentsOfFile: url.appending(path: "whole/images/samples-000012.png").path)
        .width > 100)
    let part = try train("--config", "train.yaml", "--output", "part", "--threads", "1")
    #expect(part.status == 0, "\(part.output)")
    // As if it had been killed before the last checkpoint.
    try FileManager.default.removeItem(
      at: url.appending(path: "part/checkpoints/iteration-000012.safetensors"))
    let resumed = try train("--resume", "part")
    #expect(resumed.status == 0, "\(resumed.output)")
    #expect(try folder.text("part/metrics.jsonl") == folder.text("whole/metrics.jsonl"))
    for part in ["unet/diffusion_pytorch_model", "text_encoder/model"] {
      #expect(
        try bytes("part/model/\(part).safetensors") == bytes("whole/model/\(part).safetensors"))
    }
    #expect(
      try bytes("part/images/samples-000012.png") == bytes("whole/images/samples-000012.png"))
  }

  @Test func interruptedTrainingKeepsItsLosses() throws {
    let whole = try train("--config", "train.yaml", "--output", "whole", "training.batchCount=60")
    #expect(whole.status == 0, "\(whole.output)")
    let process = try Attune.start(
      [
        "image", "train", "--config", "train.yaml", "--output", "run", "training.batchCount=60",
      ], in: folder)
    try process.wait { (try? folder.text("run/metrics.jsonl"))?.contains("\n") == true }
    process.send(SIGINT)
    let outcome = try process.finish()
    #expect(outcome.status == 130)
    #expect(outcome.standardError.contains("attune image train --resume run"))
    let resumed = try train("--resume", "run")
    #expect(resumed.status == 0, "\(resumed.output)")
    #expect(try folder.text("run/metrics.jsonl") == folder.text("whole/metrics.jsonl"))
  }

  @Test func modelsDrawGridsAndFolders() throws {
    let trained = try train(
      "--config", "train.yaml", "--output", "run", "training.batchCount=3", "weightType=float32")
    #expect(trained.status == 0, "\(trained.output)")
    let model = ["--model", "run/model", "--steps", "2"]
    let grid = try Attune.run(
      ["image", "sample"] + model + ["--prompt", "an elf 🎈", "--count", "3", "--output", "a.png"],
      in: folder)
    #expect(grid.status == 0 && grid.output.contains("3 images of 32x32"), "\(grid.output)")
    #expect(try Image(contentsOfFile: url.appending(path: "a.png").path).width > 2 * 128)

    func draw(_ name: String, _ more: String...) throws -> [Data] {
      let prompts = ["--prompt", "an elf", "--prompt", "a human in a blue robe"]
      let outcome = try Attune.run(
        ["image", "sample"] + model + prompts + ["--count", "2", "--output", name, "--quiet"]
          + more, in: folder)
      #expect(outcome.status == 0 && outcome.output.isEmpty, "\(outcome.output)")
      return try (0..<4).map { try bytes("\(name)/0000\($0).png") }
    }
    let images = try draw("images")
    #expect(Set(images).count == 4)
    #expect(try draw("again", "--batch", "1", "--threads", "1") == images)
    let shifted = try draw("shifted", "--seed", "1")
    #expect(shifted[0] == images[1] && shifted[1] != images[0])
    #expect(try draw("other", "--negative-prompt", "red") != images)
    #expect(try draw("heun", "--sampler", "heun") != images)
    let free = try draw("free", "--guidance", "1")
    #expect(free != images)
    // Guidance of 0 is none, not none of the prompt.
    #expect(try draw("turbo", "--guidance", "0") == free && free[0] != free[2])
    #expect(try draw("skip", "--clip-skip", "1") != images)
    #expect(try draw("eta", "--sampler", "ddim", "--eta", "1") != draw("d", "--sampler", "ddim"))
    #expect(try draw("rescaled", "--guidance-rescale", "0.7") != images)
    try valuesAndSeedsAsMeant(model)
    let wide = try draw("wide", "--width", "40", "--height", "20")
    #expect(wide != images)
    let size = try Image(contentsOfFile: url.appending(path: "wide/00000.png").path)
    #expect(size.width == 40 && size.height == 20)

    // What was drawn can be trained on.
    let lines = try folder.text("images/metadata.jsonl").split(separator: "\n")
    #expect(lines.count == 4 && lines[3].contains("a human in a blue robe"))
    let more = try train(
      "--config", "train.yaml", "--output", "more", "model.folder=run/model", "data.kind=folder",
      "data.path=images", "training.batchCount=3", "training.trainsTextEncoder=false")
    #expect(more.status == 0, "\(more.output)")
  }

  /// Prompts that begin with a dash or are empty, random seeds, and what is refused.
  private func valuesAndSeedsAsMeant(_ model: [String]) throws {
    func sample(_ more: String...) throws -> ProgramOutcome {
      try Attune.run(
        ["image", "sample"] + model + ["--count", "1", "--output", "meant"] + more, in: folder)
    }
    for (given, prompt) in [
      (["--prompt", "-1girl"], "-1girl"), (["--prompt=-1girl"], "-1girl"), (["--prompt="], ""),
      (["--prompt", "--no hats"], "--no hats"),
    ] {
      let outcome = try Attune.run(
        ["image", "sample"] + model + ["--count", "1", "--output", "meant"] + given, in: folder)
      #expect(outcome.status == 0, "\(outcome.output)")
      #expect(try folder.text("meant/metadata.jsonl").contains("\"\(prompt)\""))
    }
    let random = try sample("--prompt", "elf", "--seed", "-1")
    let seed = try #require(random.output.firstMatch(of: #/--seed (\d+)/#)?.1)
    let drawn = try bytes("meant/00000.png")
    #expect(try sample("--prompt", "elf", "--seed", String(seed)).status == 0)
    #expect(try bytes("meant/00000.png") == drawn)
    let file = try Attune.run(
      [
        "image", "sample", "--model", "run/model/model_index.json", "--prompt", "x", "--output",
        "o",
      ],
      in: folder)
    #expect(file.status == 1 && file.output.contains("a model folder is wanted"), "\(file.output)")
    let eta = try sample("--prompt", "elf", "--sampler", "euler", "--eta", "0.5")
    #expect(eta.status == 1 && eta.output.contains("only the sampler ddim"), "\(eta.output)")
    let noRescale = try sample("--prompt", "elf", "--guidance", "0", "--guidance-rescale", "0.5")
    #expect(noRescale.status == 0 && noRescale.output.contains("rescaling has no effect"))
    // A scheduler that Attune lacks: the option of the command is named.
    let path = "run/model/model_index.json"
    let index = try folder.text(path)
    try folder.write(index.replacing("DDIMScheduler", with: "TCDScheduler"), to: path)
    let lacking = try sample("--prompt", "elf")
    #expect(
      lacking.status == 1 && lacking.output.contains("with --sampler: ddim"), "\(lacking.output)")
    #expect(try sample("--prompt", "elf", "--sampler", "euler").status == 0)
    try folder.write(index, to: path)
  }

  /// Prompts from a file and from the command line, each reported for itself, and random captions.
  @Test func evaluatesGivenPrompts() throws {
    try folder.writeRewardTraining()
    for arguments in [
      ["image", "train", "--config", "train.yaml", "--output", "run", "training.batchCount=1"],
      [
        "reward", "train", "--config", "reward.yaml", "--kind", "classifier", "--output", "score",
        "classifier.optimization.stepCount=1", "classifier.optimization.warmUpStepCount=0",
      ],
    ] {
      let training = try Attune.run(arguments, in: folder)
      #expect(training.status == 0, "\(training.output)")
    }
    try folder.write(
      "# two\n\n  an elf in a blue robe\na human in a dark blue coat\n", to: "two.txt")
    try folder.write("# none\n\n", to: "none.txt")
    let evaluate = { (arguments: [String]) in
      try Attune.run(
        [
          "image", "evaluate", "--model", "run/model", "--dolls", TemporaryFolder.dolls,
          "--classifier", "score/model", "--steps", "1", "--count", "3",
        ] + arguments, in: folder)
    }
    struct Estimate: Decodable { var mean: Double }
    struct Report: Decodable {
      struct Prompt: Decodable {
        var prompt: String
        var allAttributes: Estimate
        var layersRight: Estimate?
      }
      var count: Int
      var prompts: [Prompt]
    }
    let json = try evaluate([
      "--prompt", "a grey orc in a blue robe, holding an axe", "--prompts", "two.txt", "--json",
    ])
    #expect(json.status == 0, "\(json.output)")
    let report = try JSONDecoder().decode(Report.self, from: Data(json.standardOutput.utf8))
    #expect(report.count == 3)
    #expect(
      report.prompts.map(\.prompt) == [
        "a grey orc in a blue robe, holding an axe", "an elf in a blue robe",
        "a human in a dark blue coat",
      ])
    #expect(report.prompts.allSatisfy { (0...1).contains($0.allAttributes.mean) })
    // Only the first asks for an item of a top layer.
    #expect(report.prompts.map { $0.layersRight != nil } == [true, false, false])
    let table = try evaluate(["--prompts", "two.txt", "--quiet"])
    #expect(table.standardOutput.split(separator: "\n").count == 3, "\(table.output)")
    let random = try evaluate(["--json"])
    #expect(random.standardOutput.contains("\"isHeldOut\":false"), "\(random.output)")
    for (arguments, status, text) in [
      (["--prompts", "none.txt"], 1, "none.txt"), (["--prompts", "nowhere.txt"], 1, "nowhere.txt"),
      (["--prompt", "x", "--held-out"], 2, "--held-out"),
    ] as [([String], Int32, String)] {
      let wrong = try evaluate(arguments)
      #expect(wrong.status == status && wrong.output.contains(text), "\(wrong.output)")
    }
  }

  @Test func wrongInputsGetOneLine() throws {
    let trained = try train(
      "--config", "train.yaml", "--output", "run", "training.batchCount=1", "--quiet")
    #expect(trained.status == 0 && trained.output.isEmpty, "\(trained.output)")
    let sampling: [([String], Int32, String)] = [
      (["--model", "nowhere", "--prompt", "x", "--output", "a.png"], 1, "nowhere"),
      (["--model", "run/model", "--output", "a.png"], 2, "--prompt"),
      (["--model", "run/model", "--prompt", "x", "--output", "no/a.png"], 1, "no"),
      (["--model", "run/model", "--prompt", "x", "--output", "a.png", "--width", "33"], 1, "2"),
      (["--model", "run/model", "--prompt", "x", "--output", "a.png", "--count", "0"], 2, "count"),
      (
        ["--model", "run/model", "--prompt", "x", "--output", "a.png", "--sampler", "x"], 2, "ddim"
      ),
      (
        ["--model", "run/model", "--prompt", "x", "--output", "a.png", "--steps", "2000"], 1,
        "num_train_timesteps"
      ),
      (
        ["--model", "run/model", "--prompt", "x", "--output", "a.png", "--guidance", "nan"], 2,
        "guidance"
      ),
      (["--model", "run/model", "--prompt", "x", "--output", "train.yaml"], 1, "train.yaml"),
    ]
    let training: [([String], Int32, String)] = [
      (["data.path=nowhere"], 1, "nowhere"), (["data.path="], 1, "data.path"),
      (["training.batchSize=0"], 1, "training.batchSize"),
      (["training.batchsize=4"], 1, "batchSize"), (["data.kind=doll"], 1, "dolls"),
      (["model.new.unet.channels=[8, 18]"], 1, "model.new.unet.channels"),
      (["data.width=30"], 1, "data.width"), (["samples.interval=4"], 1, "samples.interval"),
      (["data.dolls.exponents=1"], 1, "exponent"),
      (["data.kind=folder", "data.path=."], 1, "data.width"),
      (["model.folder=nowhere"], 1, "nowhere"),
    ]
    let all =
      sampling.map { (["image", "sample"] + $0.0, $0.1, $0.2) }
      + training.enumerated().map { index, entry in
        (
          ["image", "train", "--config", "train.yaml", "--output", "wrong\(index)"] + entry.0,
          entry.1, entry.2
        )
      }
    for (arguments, status, text) in all {
      let result = try Attune.run(arguments, in: folder)
      #expect(result.status == status, "\(arguments): \(result.output)")
      #expect(result.output.contains(text), "\(arguments): \(result.output)")
      // ArgumentParser lists the choices of an option.
      let lineLimit = text == "ddim" ? 9 : 3
      #expect(result.output.split(separator: "\n").count <= lineLimit, "\(result.output)")
    }
  }
}
