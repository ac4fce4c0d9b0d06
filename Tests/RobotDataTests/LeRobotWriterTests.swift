import Files
import Foundation
import Media
import Tensors
import TestSupport
import Testing

@testable import RobotData

/// Two tasks, every type that tables have, and episodes of different lengths.
private let features = [
  LeRobotFeature("observation.state", shape: [3], componentNames: ["x", "y", "z"]),
  LeRobotFeature("action", .float64, shape: [2]),
  LeRobotFeature("observation.grid", shape: [2, 2]),
  LeRobotFeature("next.reward", shape: [1]),
  LeRobotFeature("next.done", .bool, shape: [1]),
  LeRobotFeature("count", .uint8, shape: [1]),
]

private func episode(_ index: Int, length: Int) -> [String: StoredTensor] {
  func numbers(_ size: Int, _ scale: Double) -> [Double] {
    (0..<(length * size)).map { scale * (Double($0) + 100 * Double(index)) }
  }
  func tensor(_ shape: [Int], _ numbers: [Double]) -> StoredTensor {
    StoredTensor(Tensor(shape: shape, elements: numbers.map { Float($0) }))
  }
  return [
    "observation.state": tensor([length, 3], numbers(3, 0.1)),
    "action": StoredTensor(shape: [length, 2], doubles: numbers(2, -1 / 3)),
    "observation.grid": tensor([length, 2, 2], numbers(4, 1)),
    "next.reward": tensor([length, 1], numbers(1, 0.5)),
    "next.done": StoredTensor(shape: [length], booleans: (0..<length).map { $0 == length - 1 }),
    "count": StoredTensor(shape: [length], integers: (0..<length).map { 255 - $0 }, as: .uint8),
  ]
}

private let lengths = [7, 1, 12]

/// Tables of an episode or two each.
private func write(_ folder: String, maxFileByteCount: Int) throws {
  var writer = try LeRobotWriter(
    folder: folder, features: features, framesPerSecond: 20, robotType: "an arm",
    maxFileByteCount: maxFileByteCount)
  for (index, length) in lengths.enumerated() {
    try writer.addEpisode(episode(index, length: length), task: index == 1 ? "wait" : "push, ä")
  }
  #expect(writer.episodeCount == 3 && writer.frameCount == 20)
  try writer.finish()
}

@Test(arguments: [1, 1_000, 1 << 20]) func writtenLeRobotDataComesBack(maxFileByteCount: Int) throws
{
  let folder = try TemporaryFolder()
  try write(folder.file("set"), maxFileByteCount: maxFileByteCount)
  let dataset = try LeRobotDataset(folder: folder.file("set"))
  #expect(dataset.notes == [] && dataset.version == "v3.0" && dataset.robotType == "an arm")
  #expect(dataset.framesPerSecond == 20 && dataset.frameCount == 20)
  #expect(dataset.episodes.map(\.length) == lengths)
  #expect(dataset.tasks == [0: "push, ä", 1: "wait"])
  #expect(dataset.episodes.map(\.tasks) == [["push, ä"], ["wait"], ["push, ä"]])
  for own in dataset.episodes {
    for (name, values) in episode(own.index, length: own.length) {
      let read = try dataset.storedTensor(of: name, in: own)
      let shape = try #require(features.first { $0.name == name }).shape
      #expect(read.shape == [own.length] + shape && read.doubles == values.doubles, "\(name)")
    }
    #expect(try dataset.taskTexts(in: own) == (0..<own.length).map { _ in own.tasks[0] })
    let times = try dataset.timestamps(in: own)
    #expect(times == (0..<own.length).map { Double(Float(Double($0) / 20)) })
  }
  for feature in features where feature.name != "count" {
    #expect(try dataset.feature(named: feature.name) == feature)
  }
  let files = try FileManager.default.contentsOfDirectory(
    atPath: folder.file("set/data/chunk-000"))
  #expect(files.count == (maxFileByteCount == 1 ? 3 : maxFileByteCount == 1_000 ? 2 : 1))
}

@Test func leRobotStatisticsMatchNumPy() throws {
  let numbers: [Double] = [3, 1, 4, 1, 5, 9]
  var statistics = LeRobotStatistics(StoredTensor(shape: [6, 1], doubles: numbers))
  // numpy.mean, std, quantile of these.
  let expected = [
    "min": 1, "max": 9, "mean": 3.8333333333333335, "std": 2.733536577809454, "q01": 1, "q10": 1,
    "q50": 3.5, "q90": 7, "q99": 8.8,
  ]
  for (name, value) in expected {
    #expect(abs((statistics.values[name]?[0] ?? .nan) - value) < 1e-12, "\(name)")
  }
  statistics.merge(LeRobotStatistics(StoredTensor(shape: [2, 1], doubles: [10, 2])))
  #expect(statistics.count == 8)
  // Of all eight, but quantiles, which are means of both.
  let merged = ["min": 1, "max": 10, "mean": 4.375, "std": 3.2379584617471546, "q50": 4.125]
  for (name, value) in merged {
    #expect(abs((statistics.values[name]?[0] ?? .nan) - value) < 1e-12, "\(name)")
  }
  let two = LeRobotStatistics(StoredTensor(shape: [1, 2, 2], doubles: [1, 2, 3, 4]))
  guard case .object(let members) = two.json(shape: [2, 2]) else { return }
  #expect(members["mean"] == [[1, 2], [3, 4]] && members["count"] == [1])
}

@Test func leRobotWriterRefusesWhatItDoesNotWrite() throws {
  let folder = try TemporaryFolder()
  func refusal(_ features: [LeRobotFeature]) throws -> String {
    let error = #expect(throws: FileError.self) {
      try LeRobotWriter(folder: folder.file("set"), features: features, framesPerSecond: 1)
    }
    return error?.description ?? ""
  }
  #expect(try refusal([LeRobotFeature("index", shape: [1])]).contains("keeps for itself"))
  #expect(try refusal([LeRobotFeature("a/b", shape: [1])]).contains("slashes"))
  #expect(try refusal([LeRobotFeature("a", shape: [])]).contains("[1] for one number"))
  #expect(try refusal([LeRobotFeature("a", .bfloat16, shape: [1])]).contains("leave it out"))
  #expect(!folder.holds("set"))

  let one = [LeRobotFeature("a", shape: [2])]
  var writer = try LeRobotWriter(folder: folder.file("set"), features: one, framesPerSecond: 1)
  let wrong: [[String: StoredTensor]] = [
    [:], ["a": .init(Tensor.zeros([3, 1]))], ["a": .init(Tensor.zeros([0, 2]))],
    ["a": .init(shape: [1, 2], doubles: [0, 0])],
    ["a": .init(Tensor.zeros([1, 2])), "b": .init(Tensor.zeros([1, 2]))],
  ]
  for values in wrong {
    #expect(throws: FileError.self, "\(values)") { try writer.addEpisode(values, task: "") }
  }
  #expect(throws: FileError.self) { try writer.finish() }
  #expect(throws: FileError.self) { try LeRobotDataset(folder: folder.file("set")) }
  try writer.addEpisode(["a": .init(Tensor.zeros([1, 2]))], task: "")
  try writer.finish()
  #expect(try LeRobotDataset(folder: folder.file("set")).frameCount == 1)
  let full = #expect(throws: FileError.self) {
    try LeRobotWriter(folder: folder.file("set"), features: one, framesPerSecond: 1)
  }
  #expect(full?.description.contains("is not empty") == true)
}

/// Images of an episode, by a rule.
private func images(_ episode: Int, count: Int) -> [Image] {
  (0..<count).map { step in
    Image(
      width: 6, height: 4, channelCount: 3,
      samples: (0..<72).map { UInt8(($0 * 31 + step * 17 + episode * 101) % 256) })
  }
}

private let imageFeature = LeRobotFeature(
  imagesNamed: "observation.images.top", width: 6, height: 4)

private func writeImages(_ folder: String) throws {
  var writer = try LeRobotWriter(
    folder: folder, features: [imageFeature, LeRobotFeature("action", shape: [2])],
    framesPerSecond: 10)
  for (episode, length) in [3, 2].enumerated() {
    try writer.addEpisode(
      ["action": StoredTensor(Tensor.zeros([length, 2]))],
      images: [imageFeature.name: images(episode, count: length)], task: "look")
  }
  try writer.finish()
}

@Test func writtenLeRobotImagesComeBack() throws {
  let folder = try TemporaryFolder()
  try writeImages(folder.file("set"))
  let dataset = try LeRobotDataset(folder: folder.file("set"))
  #expect(dataset.notes == [])
  #expect(try dataset.feature(named: imageFeature.name) == imageFeature)
  for episode in dataset.episodes {
    let read = try dataset.images(of: imageFeature.name, in: episode)
    let written = images(episode.index, count: episode.length)
    #expect(read.shape == [episode.length, 4, 6, 3])
    #expect(read.withUnsafeBytes { Array($0) } == written.flatMap(\.samples))
  }
}

@Test func leRobotWriterRefusesOtherImages() throws {
  let folder = try TemporaryFolder()
  var writer = try LeRobotWriter(
    folder: folder.file("set"), features: [imageFeature], framesPerSecond: 1)
  let grey = Image(width: 6, height: 4, channelCount: 1, samples: [UInt8](repeating: 0, count: 24))
  let right = images(0, count: 1)
  for wrong in [["other": right], [imageFeature.name: [grey]], [:]] {
    #expect(throws: FileError.self) { try writer.addEpisode([:], images: wrong, task: "") }
  }
  #expect(throws: FileError.self) {
    try writer.addEpisode(
      [imageFeature.name: .init(Tensor.zeros([1, 4, 6, 3]))], images: [:], task: "")
  }
  try writer.addEpisode([:], images: [imageFeature.name: right], task: "")
  try writer.finish()
}

/// numpy.mean, std and quantile of the samples of each channel, divided by 255.
@Test func leRobotStatisticsOfImagesAreOfChannels() {
  let image = Image(
    width: 3, height: 1, channelCount: 3, samples: [0, 10, 255, 51, 10, 255, 255, 20, 0])
  let statistics = LeRobotStatistics(images: [image, image])
  #expect(statistics.count == 2)
  let expected: [String: [Double]] = [
    "min": [0, 10, 0], "max": [255, 20, 255], "mean": [102, 40.0 / 3, 170],
    "std": [110.17259187293362, 4.714045207910317, 120.20815280171308],
    "q50": [51, 10, 255], "q10": [0, 10, 0], "q90": [255, 20, 255], "q01": [0, 10, 0],
  ]
  for (name, values) in expected {
    for (channel, value) in values.enumerated() {
      let found = statistics.values[name]?[channel] ?? .nan
      #expect(abs(found - value / 255) < 1e-12, "\(name) \(channel): \(found * 255)")
    }
  }
}

/// LeRobot itself shows the images that were written.
@Test func leRobotReadsWrittenImages() throws {
  guard let python = Python(with: ["lerobot"], for: "leRobotReadsWrittenImages") else { return }
  let folder = try TemporaryFolder()
  try writeImages(folder.file("set"))
  let printed = try python.run(
    """
    import json, os, sys
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HOME"] = sys.argv[1] + "/cache"
    from lerobot.datasets.lerobot_dataset import LeRobotDataset
    dataset = LeRobotDataset("attune/test", root=sys.argv[1] + "/set")
    assert dataset.meta.camera_keys == ["observation.images.top"] and len(dataset) == 5
    frames = [dataset[i]["observation.images.top"] for i in range(5)]
    assert all(f.shape == (3, 4, 6) for f in frames)
    stats = dataset.meta.stats["observation.images.top"]
    import torch
    whole = torch.stack(frames).double()
    assert stats["mean"].shape == (3, 1, 1)
    for name, value in (("mean", whole.mean((0, 2, 3))), ("min", whole.amin((0, 2, 3))),
                        ("std", whole.std((0, 2, 3), unbiased=False))):
        assert torch.allclose(torch.tensor(stats[name]).flatten().double(), value, atol=1e-6), name
    print(json.dumps([round(255 * x) for f in frames for x in f.permute(1, 2, 0).flatten().tolist()]))
    """, [folder.path])
  let read = try JSONDecoder().decode([UInt8].self, from: Data(printed.utf8))
  #expect(read == (images(0, count: 3) + images(1, count: 2)).flatMap(\.samples))
}

/// pandas and pyarrow read the same numbers, and the tasks by their text.
@Test func pyarrowReadsWrittenLeRobotData() throws {
  guard let python = Python(with: ["pyarrow", "pandas"], for: "pyarrowReadsWrittenLeRobotData")
  else { return }
  let folder = try TemporaryFolder()
  try write(folder.file("set"), maxFileByteCount: 1_000)
  let printed = try python.run(
    """
    import glob, json, sys
    import pandas as pd, pyarrow.parquet as pq
    root = sys.argv[1]
    frames = pd.concat(
        pd.read_parquet(f) for f in sorted(glob.glob(root + "/data/*/*.parquet"))
    ).reset_index(drop=True)
    tasks = pd.read_parquet(root + "/meta/tasks.parquet")
    episodes = pq.read_table(root + "/meta/episodes/chunk-000/file-000.parquet",
                             page_checksum_verification=True).to_pandas()
    assert list(tasks.index) == ["push, \\u00e4", "wait"], tasks
    assert tasks.loc["wait"].task_index == 1
    assert list(frames["index"]) == list(range(20))
    assert list(episodes["length"]) == [7, 1, 12]
    assert list(episodes["dataset_to_index"]) == [7, 8, 20]
    assert [list(t) for t in episodes["tasks"]] == [["push, \\u00e4"], ["wait"], ["push, \\u00e4"]]
    stats = json.load(open(root + "/meta/stats.json"))
    assert stats["observation.state"]["count"] == [20]
    grid = episodes["stats/observation.grid/max"][0]
    assert [list(r) for r in grid] == [[24.0, 25.0], [26.0, 27.0]], grid
    print(json.dumps({
        "state": [float(x) for row in frames["observation.state"] for x in row],
        "action": [float(x) for row in frames["action"] for x in row],
        "grid": [float(x) for rows in frames["observation.grid"] for row in rows for x in row],
        "done": [float(x) for x in frames["next.done"]],
        "count": [float(x) for x in frames["count"]],
    }))
    """, [folder.file("set")])
  let read = try JSONDecoder().decode([String: [Double]].self, from: Data(printed.utf8))
  let written = lengths.enumerated().map { episode($0, length: $1) }
  for (key, name) in [
    ("state", "observation.state"), ("action", "action"), ("grid", "observation.grid"),
    ("done", "next.done"), ("count", "count"),
  ] {
    #expect(read[key] == written.flatMap { $0[name]?.doubles ?? [] }, "\(name)")
  }
}

/// LeRobot itself opens what was written, without a word to the hub, and normalizes by its statistics.
@Test func leRobotReadsWrittenData() throws {
  guard let python = Python(with: ["lerobot"], for: "leRobotReadsWrittenData") else { return }
  let folder = try TemporaryFolder()
  try write(folder.file("set"), maxFileByteCount: 1_000)
  let printed = try python.run(
    """
    import json, os, sys
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HOME"] = sys.argv[1] + "/cache"
    from lerobot.datasets.lerobot_dataset import LeRobotDataset
    dataset = LeRobotDataset("attune/test", root=sys.argv[1] + "/set")
    assert dataset.num_episodes == 3 and len(dataset) == 20 and dataset.fps == 20
    items = [dataset[i] for i in range(20)]
    assert [i["episode_index"].item() for i in items] == [0] * 7 + [1] + [2] * 12
    assert items[7]["task"] == "wait" and items[8]["task"] == "push, ä"
    assert dataset.meta.features["observation.state"]["names"] == ["x", "y", "z"]
    state = [x for i in items for x in i["observation.state"].tolist()]
    stats = dataset.meta.stats["observation.state"]
    import numpy as np
    rows = np.array(state).reshape(20, 3)
    for name in ("min", "max", "mean", "std"):
        assert np.allclose(stats[name], getattr(np, name)(rows, 0), rtol=1e-5), name
    print(json.dumps({
        "observation.state": state,
        "action": [x for i in items for x in i["action"].tolist()],
        "observation.grid": [x for i in items for x in i["observation.grid"].flatten().tolist()],
        "next.reward": [i["next.reward"].item() for i in items],
        "next.done": [float(i["next.done"].item()) for i in items],
        "count": [float(i["count"].item()) for i in items],
    }))
    """, [folder.path])
  let read = try JSONDecoder().decode([String: [Double]].self, from: Data(printed.utf8))
  let written = lengths.enumerated().map { episode($0, length: $1) }
  for feature in features {
    // LeRobot makes float32 of float64.
    let values = written.flatMap { $0[feature.name]?.doubles ?? [] }.map { Float($0) }
    #expect(read[feature.name]?.map { Float($0) } == values, "\(feature.name)")
  }
}
