import Configuration
import Environments
import Tensors
import Testing

@testable import DiffusionPolicies

/// Random windows of images, exactly in whole pixels.
@Suite struct ImageAugmentationTests {
  /// Two cameras whose samples tell row and column.
  private func observations(rows: Int, steps: Int = 2) -> Observations {
    let images = ["left", "right"].map { name in
      let camera = Camera(name: name, width: 10, height: 8, channelCount: 1)
      let frame = (0..<8).flatMap { row in (0..<10).map { UInt8(16 * row + $0) } }
      let bytes = (0..<rows * steps).flatMap { _ in frame }
      return (name, CameraImages(camera, stepCount: steps, bytes: bytes))
    }
    return Observations(
      .zeros([rows, steps, 1]), images: Dictionary(uniqueKeysWithValues: images))
  }

  private func streams(_ count: Int, seed: UInt64 = 1) -> [RandomStream] {
    (0..<count).map { RandomStream(seed: seed).split($0) }
  }

  /// Where a window's upper left corner lies; checks that all of it is where it belongs.
  private func corner(
    of samples: [UInt8], width: Int, height: Int
  ) -> (row: Int, column: Int)? {
    for row in -4...8 {
      for column in -4...10 {
        let window = (0..<height).flatMap { y in
          (0..<width).map { x in
            UInt8(16 * min(max(row + y, 0), 7) + min(max(column + x, 0), 9))
          }
        }
        if window == samples { return (row, column) }
      }
    }
    return nil
  }

  @Test func shiftsReachEveryPlaceAndNoOther() throws {
    let augmented = ImageAugmentation(shift: 2)(observations(rows: 200), streams: streams(200))
    let left = try #require(augmented.images["left"])
    let right = try #require(augmented.images["right"])
    #expect(left.shape == [200, 2, 8, 10, 1] && left.camera.name == "left")
    var places: Set<[Int]> = []
    var differing = 0
    for row in 0..<200 {
      let frames = left.frames[2 * row..<2 * row + 2].map(\.samples)
      // All images of a row and a camera are seen through one window; cameras draw their own.
      #expect(frames[0] == frames[1])
      differing += frames[0] == right.frames[2 * row].samples ? 0 : 1
      let place = try #require(corner(of: frames[0], width: 10, height: 8))
      places.insert([place.row, place.column])
    }
    #expect(places.count == 25 && places.allSatisfy { $0.allSatisfy { (-2...2).contains($0) } })
    #expect(differing > 150)
  }

  @Test func cropsLieInside() throws {
    let augmentation = ImageAugmentation(cropSize: 6)
    let augmented = augmentation(observations(rows: 200, steps: 1), streams: streams(200))
    let left = try #require(augmented.images["left"])
    #expect(left.shape == [200, 1, 6, 6, 1])
    let places = try left.frames.map {
      let place = try #require(corner(of: $0.samples, width: 6, height: 6))
      return [place.row, place.column]
    }
    #expect(Set(places).count == 3 * 5)
    #expect(places.allSatisfy { (0...2).contains($0[0]) && (0...4).contains($0[1]) })
    // In the middle where nothing is drawn.
    let layout = try augmentation.layout(
      of: ObservationLayout(
        stepCount: 1, stateSize: 1, cameras: observations(rows: 1).images.values.map(\.camera)))
    let centered = observations(rows: 2, steps: 1).centered(on: layout.cameras)
    let middle = try #require(centered.images["right"]?.frames[1].samples)
    let place = try #require(corner(of: middle, width: 6, height: 6))
    #expect(place.row == 1 && place.column == 2)
    // What was cropped already stays.
    #expect(augmented.centered(on: layout.cameras).images["left"]?.bytes == left.bytes)
  }

  /// A row's window is its stream's: not that of its place in a batch.
  @Test func windowsDependOnTheStreamAlone() throws {
    let augmentation = ImageAugmentation(shift: 3)
    let whole = augmentation(observations(rows: 6), streams: streams(6))
    let part = augmentation(
      observations(rows: 6).slice(2..<4), streams: Array(streams(6)[2..<4]))
    #expect(whole.slice(2..<4).images["left"]?.bytes == part.images["left"]?.bytes)
    let other = augmentation(observations(rows: 6), streams: streams(6, seed: 2))
    #expect(other.images["left"]?.bytes != whole.images["left"]?.bytes)
  }

  @Test func whatIsNotThereIsLeftAlone() throws {
    let seen = observations(rows: 3)
    #expect(ImageAugmentation().isIdentity)
    let same = ImageAugmentation()(seen, streams: [])
    #expect(same.images["left"]?.bytes == seen.images["left"]?.bytes)
    let blind = ImageAugmentation(shift: 4)(Observations(.zeros([2, 1, 1])), streams: [])
    #expect(blind.images.isEmpty)
  }

  @Test func cropsLargerThanTheImagesAreRefused() throws {
    var configuration = EncoderConfiguration(kind: "vit")
    configuration.cropSize = 84
    var random = RandomStream(seed: 1)
    let layout = ObservationLayout(
      stepCount: 1, stateSize: 1, cameras: [Camera(name: "above", width: 96, height: 80)])
    let error = #expect(throws: ConfigurationError.self) {
      try ObservationEncoderRegistry.standard.make(configuration, layout, random: &random)
    }
    #expect(error?.key == "encoder.cropSize")
    #expect(error.map { "\($0)" }?.contains("96x80") == true)
  }
}
