import Configuration
import Media
import Tensors
import Testing

@testable import Environments

/// Environments of Attune that show an image beside their state.
@Suite struct CameraEnvironmentTests {
  @Test func pushTShowsItsBlockToACameraOnly() throws {
    let environment = try EnvironmentRegistry.standard.make("push-t", ["observation": "pixels"])
    let camera = Camera(name: "image", width: 96, height: 96)
    #expect(environment.cameras == [camera])
    #expect(environment.observationSpace.names == ["agent x", "agent y"])
    try environment.reset(.state([100, 200, 300, 250, 0.5]))
    let first = try environment.observations()
    #expect(first.state.elements == [100, 200])
    let images = try #require(first.images["image"])
    #expect(images.shape == [1, 1, 96, 96, 3])
    #expect(images.frames[0] == (try environment.render(width: 96, height: 96)))
    // Another block, the same agent: numbers cannot tell.
    try environment.reset(.state([100, 200, 200, 350, 0.5]))
    let other = try environment.observations()
    #expect(other.state.elements == first.state.elements)
    #expect(other.images["image"]?.bytes != images.bytes)
    let small = try EnvironmentRegistry.standard.make(
      "push-t", ["observation": "pixels", "imageSize": "32"])
    #expect(small.cameras[0].width == 32)
  }

  /// The side of images is a parameter of robots, which have none without it.
  @Test func robotsAreSeenByTheTrackingCamera() throws {
    let blind = try EnvironmentRegistry.standard.make("hopper")
    #expect(blind.cameras.isEmpty)
    let environment = try EnvironmentRegistry.standard.make("hopper", ["imageSize": "48"])
    #expect(environment.cameras == [Camera(name: "track", width: 48, height: 48)])
    #expect(environment.observationSpace == blind.observationSpace)
    try environment.reset(seed: 1)
    let image = try environment.observeImages()[0][0]
    // All images of a state are the same, of an environment just made too.
    for _ in 0..<3 { #expect(try environment.observeImages()[0][0] == image) }
    let another = try EnvironmentRegistry.standard.make("hopper", ["imageSize": "48"])
    try another.reset(seed: 1)
    #expect(try another.observeImages()[0][0] == image)
    #expect(image == (try environment.render(width: 48, height: 48)))
    try environment.step([1, 1, 1])
    #expect(try environment.observeImages()[0][0] != image)
    let error = #expect(throws: ConfigurationError.self) {
      try EnvironmentRegistry.standard.make("hopper", ["imageSize": "5000"])
    }
    #expect(error?.key == "imageSize")
  }

  /// With history, chunks and the vector around it; a restored vector shows what the saved one did.
  @Test func vectorsSeeAndRestoreImages() throws {
    func vector() throws -> LocalVectorEnvironment {
      try LocalVectorEnvironment(count: 2, seed: 4) {
        let environment = try EnvironmentRegistry.standard.make(
          "push-t", ["observation": "pixels", "imageSize": "16"])
        return ActionChunks(ObservationHistory(environment, count: 2), count: 3)
      }
    }
    let played = try vector()
    let actions = Tensor(repeating: 256, shape: [2, 3, 2])
    try played.step(actions)
    let images = try #require(played.observations.images["image"])
    #expect(images.shape == [2, 2, 16, 16, 3])
    let restored = try vector()
    try restored.restore(played.savedStates())
    #expect(restored.observations.images["image"]?.bytes == images.bytes)
    try played.step(actions)
    try restored.step(actions)
    #expect(
      restored.observations.images["image"]?.bytes == played.observations.images["image"]?.bytes)
    #expect(played.observations.images["image"]?.bytes != images.bytes)
  }

  /// Where numbers are lost there is nothing to draw.
  @Test func lostEpisodesAreBlack() throws {
    let environment = CameraEnvironment(
      PushTEnvironment(observing: .pixels), camera: "image", size: 8)
    try environment.step([.nan, 0])
    let images = try environment.observeImages()
    #expect(images == [[Image(width: 8, height: 8, filledWith: .black)]])
  }

  /// Cameras come after those that the environment has.
  @Test func camerasAreAdded() throws {
    let environment = CameraEnvironment(
      CameraEnvironment(PushTEnvironment(), camera: "first", size: 8), camera: "second", size: 9)
    #expect(environment.cameras.map(\.name) == ["first", "second"])
    #expect(try environment.observeImages().map { $0[0].width } == [8, 9])
  }
}
