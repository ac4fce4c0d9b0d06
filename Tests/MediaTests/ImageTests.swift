import Foundation
import Tensors
import Testing

@testable import Media

private struct Conversions: Decodable {
  var elements: [Float]
  var samples: Data
  var ramp: [Float]
}

/// Halves, values out of range and random ones through diffusers' VaeImageProcessor.
@Test func tensorsConvertAsInDiffusers() throws {
  let golden = try Goldens.read("conversions.json", as: Conversions.self)
  let tensor = Tensor(shape: [4, 5, 3], elements: golden.elements)
  #expect(Image(tensor, range: .minusOneToOne).samples == Array(golden.samples))

  let ramp = Image(width: 256, height: 1, channelCount: 1, samples: Array(0...255))
  let back = ramp.tensor(range: .minusOneToOne)
  #expect(back.shape == [1, 256, 1])
  #expect(back.elements == golden.ramp)
  #expect(Image(back, range: .minusOneToOne) == ramp)
  #expect(Image(ramp.tensor(range: .zeroToOne), range: .zeroToOne) == ramp)
}

@Test func tensorsOutOfRangeAreClamped() {
  let tensor = Tensor(shape: [1, 6], elements: [-1, 2, .nan, .infinity, -.infinity, 0.5])
  // 127.5 rounds to the even 128.
  #expect(Image(tensor, range: .zeroToOne).samples == [0, 255, 0, 255, 0, 128])
}

@Test func batchesGiveOneImageForEachEntry() {
  let elements = (0..<2 * 2 * 3 * 3).map { Float($0) / 255 }
  let images = Image.batch(Tensor(shape: [2, 2, 3, 3], elements: elements), range: .zeroToOne)
  #expect(images.count == 2)
  #expect(images[1].width == 3 && images[1].height == 2)
  #expect(images[1].samples == Array(18..<36))
}

@Test func transparentPixelsAreLaidOverTheBackground() {
  let image = Image(
    width: 3, height: 1, channelCount: 4, samples: [200, 0, 50, 255, 9, 9, 9, 0, 255, 0, 100, 128])
  let flat = image.rgb(over: Color(0x0000FF))
  #expect(flat.channelCount == 3)
  // (128 * 100 + 127 * 255) / 255 = 177.2
  #expect(flat.samples == [200, 0, 50, 0, 0, 255, 128, 0, 177])
  #expect(flat.rgba().samples == [200, 0, 50, 255, 0, 0, 255, 255, 128, 0, 177, 255])
}

@Test func greyIsRepeated() {
  let grey = Image(width: 2, height: 1, channelCount: 1, samples: [3, 250])
  #expect(grey.rgb().samples == [3, 3, 3, 250, 250, 250])
  #expect(grey.rgba().samples == [3, 3, 3, 255, 250, 250, 250, 255])
}

@Test func drawingCutsOffWhatFallsOutside() {
  let image = Image(width: 2, height: 2, channelCount: 1, samples: [1, 2, 3, 4])
  func drawn(_ x: Int, _ y: Int) -> [UInt8] {
    var canvas = Image(width: 2, height: 2, filledWith: .black)
    canvas.draw(image, x: x, y: y)
    return stride(from: 0, to: 12, by: 3).map { canvas.samples[$0] }
  }
  #expect(drawn(0, 0) == [1, 2, 3, 4])
  #expect(drawn(1, 0) == [0, 1, 0, 3])
  #expect(drawn(-1, -1) == [4, 0, 0, 0])
  #expect(drawn(5, 0) == [0, 0, 0, 0])
  #expect(drawn(-9, -9) == [0, 0, 0, 0])
}

@Test func colorsReadHexadecimals() {
  #expect(Color(hexadecimal: "#0aFF10") == Color(red: 10, green: 255, blue: 16))
  #expect(Color(hexadecimal: "0aFF10")?.hexadecimal == "#0aff10")
  #expect(Color(hexadecimal: "#fff") == nil)
  #expect(Color(hexadecimal: "+12345") == nil)
}
