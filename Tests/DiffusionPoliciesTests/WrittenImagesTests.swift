import Environments
import Files
import Foundation
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// Demonstrations with images, written in every layout and read back.
@Suite struct WrittenImagesTests {
  /// Two episodes of three and two steps; every sample is different from its neighbours.
  private func demonstrations(_ cameras: [Camera]) -> Demonstrations {
    var result = Demonstrations(stateSize: 2, actionSize: 1)
    result.lengths = [3, 2]
    result.states = (0..<10).map { Float($0) / 7 }
    result.actions = (0..<5).map { -Float($0) / 3 }
    result.rewards = [0, 0.5, 1, 0, 0.25]
    result.terminals = [false, false, true, false, false]
    result.images = cameras.enumerated().map { place, camera in
      let size = camera.shape.reduce(1, *)
      return CameraImages(
        camera, stepCount: 1,
        bytes: (0..<5 * size).map { UInt8(($0 * 37 + $0 / size * 11 + place * 100) % 256) })
    }
    return result
  }

  private func expectSame(_ read: Demonstrations, _ written: Demonstrations) {
    #expect(read.lengths == written.lengths && read.terminals == written.terminals)
    #expect(read.states == written.states && read.actions == written.actions)
    #expect(read.rewards == written.rewards)
    #expect(read.cameras.map(\.shape) == written.cameras.map(\.shape))
    #expect(read.images.map(\.bytes) == written.images.map(\.bytes))
  }

  private let options = DemonstrationOutput.Options(framesPerSecond: 10, task: "push-t")

  @Test(arguments: [
    (DemonstrationOutput.npz, "x.npz", ["images"], ["images 1", "images 2"]),
    (.hdf5, "x.hdf5", ["top_image", "wrist.image"], ["top_image", "wrist.image"]),
    (
      .lerobot, "x", ["observation.images.top", "observation.images.wrist.image"],
      ["observation.images.top", "observation.images.wrist.image"]
    ),
  ])
  func writtenImagesComeBack(
    output: DemonstrationOutput, name: String, tensors: [String], cameras: [String]
  ) throws {
    let folder = try TemporaryFolder()
    let written = demonstrations([
      Camera(name: "top", width: 5, height: 4), Camera(name: "wrist/image", width: 5, height: 4),
    ])
    let notes = try output.write(written, to: folder.file(name), options: options)
    #expect(notes.count == 1)
    let list = tensors.joined(separator: ", ")
    #expect(
      notes.first?.contains("reads them by demonstrations.images=[\(list)]") == true, "\(notes)")
    let read = try Demonstrations(contentsOf: folder.file(name), images: tensors)
    expectSame(read, written)
    #expect(read.cameras.map(\.name) == cameras)
    // Who does not ask for them is told that they are there.
    let blind = try Demonstrations(contentsOf: folder.file(name))
    #expect(blind.images.isEmpty && blind.states == written.states)
    #expect(blind.notes.contains { note in tensors.allSatisfy { note.contains($0) } })
  }

  /// Cameras of their own sizes and channels, where the layout has a place for them.
  @Test func imagesOfSeveralSizesComeBack() throws {
    let folder = try TemporaryFolder()
    let cameras = [
      Camera(name: "grey", width: 3, height: 2, channelCount: 1),
      Camera(name: "top", width: 5, height: 4),
      Camera(name: "mask", width: 2, height: 6, channelCount: 4),
    ]
    let written = demonstrations(cameras)
    _ = try DemonstrationOutput.hdf5.write(
      written, to: folder.file("x.hdf5"), options: options)
    let names = ["grey_image", "top_image", "mask_image"]
    let read = try Demonstrations(contentsOf: folder.file("x.hdf5"), images: names)
    expectSame(read, written)
    #expect(read.recordedEnvironment == "push-t")
    let wide = demonstrations([cameras[1], Camera(name: "wrist", width: 7, height: 3)])
    _ = try DemonstrationOutput.lerobot.write(wide, to: folder.file("x"), options: options)
    expectSame(
      try Demonstrations(
        contentsOf: folder.file("x"),
        images: ["observation.images.top", "observation.images.wrist"]), wide)
    for camera in cameras {
      let one = demonstrations([camera])
      _ = try DemonstrationOutput.npz.write(one, to: folder.file("x.npz"), options: options)
      expectSame(try Demonstrations(contentsOf: folder.file("x.npz"), images: ["images"]), one)
    }
  }

  @Test(arguments: [
    (
      DemonstrationOutput.npz,
      [Camera(name: "a", width: 5, height: 4), .init(name: "b", width: 4, height: 4)],
      "images of 'b' are of another size than those of 'a'; name an .hdf5 file or a LeRobot folder"
    ),
    (
      .npz,
      [
        Camera(name: "a", width: 4, height: 4, channelCount: 1),
        Camera(name: "b", width: 4, height: 4),
      ], "'a' has 1 channel, and an npz has three for each of 2 cameras; name an .hdf5 file"
    ),
    (
      .hdf5, [Camera(name: "a/b", width: 4, height: 4), Camera(name: "a.b", width: 4, height: 4)],
      "'a/b' and 'a.b' would both be 'a.b_image' there; name an .npz file"
    ),
    (
      .lerobot, [Camera(name: "a", width: 4, height: 4, channelCount: 1)],
      "'a' has 1 channel, and images of LeRobot are RGB; name an .hdf5 file"
    ),
  ])
  func whatALayoutCannotHoldIsRefused(
    output: DemonstrationOutput, cameras: [Camera], words: String
  ) throws {
    let error = #expect(throws: DemonstrationError.self) {
      try output.check(cameras, path: "here")
    }
    let text = error.map { "\($0)" } ?? ""
    #expect(text.hasPrefix("here: ") && text.contains(words), "\(text)")
    // Nothing is written of it either.
    let folder = try TemporaryFolder()
    #expect(throws: DemonstrationError.self) {
      try output.write(demonstrations(cameras), to: folder.file("x"), options: options)
    }
    #expect(!folder.holds("x"))
  }

  /// What a policy would have seen before each step.
  @Test func collectedEpisodesHaveImages() throws {
    var settings = EnvironmentConfiguration()
    settings.name = "push-t"
    settings.parameters = ["observation": "pixels", "imageSize": "24", "timeLimit": "4"]
    let environments = try settings.make(count: 2, stepping: .byThemselves)
    let action: [Float] = [300, 200]
    var collected = CollectedDemonstrations()
    try DemonstrationCollector(environments: environments, seed: 5) { _, _ in { _, _ in action } }
      .collect(into: &collected, episodes: 3)
    let demonstrations = try #require(collected.demonstrations)
    #expect(demonstrations.cameras == environments[0].cameras)
    #expect(demonstrations.lengths == [4, 4, 4])
    let environment = try settings.make()
    var frames: [[UInt8]] = []
    for episode in 0..<3 {
      try environment.reset(.seed(5 + UInt64(episode)))
      for _ in 0..<4 {
        frames.append(try environment.observeImages()[0][0].samples)
        _ = try environment.step(action)
      }
    }
    #expect(demonstrations.images[0].frames.map(\.samples) == frames)
    #expect(Set(frames).count > 3)
  }

  /// As robomimic opens a file.
  @Test func h5pyReadsWrittenImages() throws {
    guard let python = Python(with: ["h5py"], for: "h5pyReadsWrittenImages") else { return }
    let folder = try TemporaryFolder()
    let written = demonstrations([Camera(name: "top", width: 5, height: 4)])
    _ = try DemonstrationOutput.hdf5.write(
      written, to: folder.file("x.hdf5"), options: options)
    let printed = try python.run(
      """
      import h5py, json, sys
      f = h5py.File(sys.argv[1], "r")
      assert list(f["data"]) == ["demo_0", "demo_1"]
      assert f["data"].attrs["total"] == 5
      assert json.loads(f["data"].attrs["env_args"])["env_name"] == "push-t"
      demo = f["data/demo_0"]
      assert demo.attrs["num_samples"] == 3 and demo["actions"].shape == (3, 1)
      assert demo["obs/flat"].shape == (3, 2) and list(demo["dones"]) == [0, 0, 1]
      images = demo["obs/top_image"]
      assert images.dtype == "uint8" and images.shape == (3, 4, 5, 3)
      assert images.compression == "gzip" and images.chunks == (1, 4, 5, 3)
      print(json.dumps([int(x) for x in images[:].flatten()]))
      """, [folder.file("x.hdf5")])
    let read = try JSONDecoder().decode([UInt8].self, from: Data(printed.utf8))
    #expect(read == written.images[0].gather([0, 1, 2]).bytes)
  }
}
