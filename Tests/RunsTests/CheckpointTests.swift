import Files
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Runs

@Suite struct CheckpointTests {
  private let temporary: TemporaryFolder
  private var folder: CheckpointFolder { CheckpointFolder(path: temporary.path) }

  init() throws { temporary = try TemporaryFolder() }

  private func checkpoint(_ iteration: Int) -> Checkpoint {
    var checkpoint = Checkpoint(
      iteration: iteration,
      tensors: ["state": StoredTensor(shape: [3], uint8s: [1, 2, UInt8(iteration)])],
      metadata: ["stream": "{\"seed\": 1}"])
    checkpoint.add(["weight": Tensor([1, 2.5])], prefix: "network.")
    return checkpoint
  }

  @Test func comesBackAsItWas() throws {
    try folder.save(checkpoint(120))
    #expect(FolderListing.names(in: temporary.path) == ["iteration-000120.safetensors"])
    let back = try Checkpoint(path: folder.path(ofIteration: 120))
    #expect(back.iteration == 120)
    #expect(back.metadata == ["stream": "{\"seed\": 1}"])
    #expect(back.tensors.keys.sorted() == ["network.weight", "state"])
    #expect(back.tensors(prefix: "network.")["weight"]?.elements == [1, 2.5])
    #expect(back.tensors["state"]?.integers == [1, 2, 120])
    #expect(back.tensors["state"]?.elementType == .uint8)
  }

  @Test func keepsTheLastFew() throws {
    for iteration in 1...5 { try folder.save(checkpoint(iteration)) }
    #expect(folder.iterations == [4, 5])
    #expect(folder.latestPath == folder.path(ofIteration: 5))
  }

  @Test func passesOverADamagedNewest() throws {
    for iteration in [1, 2] { try folder.save(checkpoint(iteration)) }
    let newest = folder.path(ofIteration: 2)
    let whole = try Data(contentsOf: URL(fileURLWithPath: newest))
    var flipped = whole
    flipped[whole.count - 1] ^= 1  // in the tensors, where the format has no check of its own
    var renamed = whole
    let name = try #require(renamed.range(of: Data("seed".utf8)))
    renamed[name.lowerBound] = UInt8(ascii: "t")
    for damaged in [flipped, renamed, whole.dropLast(), whole.prefix(4), Data()] {
      try damaged.write(to: URL(fileURLWithPath: newest))
      var warnings: [String] = []
      let found = folder.latest { warnings.append($0) }
      #expect(found?.iteration == 1)
      #expect(warnings.count == 1)
      #expect(warnings.first?.hasPrefix(newest) == true)
    }
    // The damaged one does not count among the last when the run goes on from the one before.
    try folder.save(checkpoint(1))
    #expect(folder.iterations == [1])
  }

  @Test func anEmptyFolderHasNone() {
    #expect(folder.latest { _ in }?.iteration == nil)
    #expect(folder.iterations.isEmpty)
  }

  @Test func aFileOfWeightsIsNoCheckpoint() throws {
    let path = temporary.path + "/policy.safetensors"
    try SafetensorsFile.write(["a": StoredTensor(Tensor([1]))], to: path)
    let error = #expect(throws: FileError.self) { try Checkpoint(path: path) }
    #expect(error?.kind == .unsupported)
  }

  @Test func aFailedWriteLeavesTheEarlierOnes() throws {
    try folder.save(checkpoint(1))
    // A folder in the way of the new file, which even a superuser cannot rename over.
    try FileManager.default.createDirectory(
      atPath: folder.path(ofIteration: 2) + "/x", withIntermediateDirectories: true)
    #expect(throws: FileError.self) { try folder.save(checkpoint(2)) }
    #expect(folder.latest { _ in }?.iteration == 1)
  }
}
