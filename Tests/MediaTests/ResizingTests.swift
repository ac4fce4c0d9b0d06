import Foundation
import Testing

@testable import Media

private struct Resizes: Decodable {
  struct Case: Decodable {
    var method: String
    var channelCount: Int
    var width: Int
    var height: Int
    var samples: Data
  }
  var width: Int
  var height: Int
  /// RGBA.
  var pixels: Data
  var cases: [Case]

  func source(channelCount: Int) -> Image {
    Image(width: width, height: height, channelCount: channelCount) { target in
      for index in 0..<width * height {
        for channel in 0..<channelCount {
          target[index * channelCount + channel] = pixels[index * 4 + channel]
        }
      }
    }
  }
}

/// Shrinking, growing and both at once, for grey, RGB and RGBA: the same bits as Pillow.
@Test func resizesAsPillowDoes() throws {
  let golden = try Goldens.read("resizes.json", as: Resizes.self)
  #expect(golden.cases.count == 45)
  for test in golden.cases {
    let method = try #require(ResizeMethod(rawValue: test.method))
    let image = golden.source(channelCount: test.channelCount)
      .resized(width: test.width, height: test.height, method: method)
    #expect(
      image.samples == Array(test.samples),
      "\(test.method) to \(test.width)x\(test.height)x\(test.channelCount)")
  }
}

@Test func resizingKeepsConstantsAndSizes() {
  let flat = Image(width: 17, height: 9, filledWith: Color(0xFE017F))
  for method in ResizeMethod.allCases {
    #expect(
      flat.resized(width: 40, height: 3, method: method)
        == Image(width: 40, height: 3, filledWith: Color(0xFE017F)))
    #expect(flat.resized(width: 17, height: 9, method: method) == flat)
  }
}

@Test func areaIsTheMeanOfWholeBlocks() {
  let image = Image(width: 4, height: 2, channelCount: 1, samples: [0, 10, 100, 100, 20, 30, 0, 0])
  #expect(image.resized(width: 2, height: 1, method: .area).samples == [15, 50])
}

@Test func fittingKeepsProportions() {
  let wide = Image(width: 40, height: 10, filledWith: .white)
  let fitted = wide.fitted(width: 20, height: 20, background: .black)
  #expect(fitted.width == 20 && fitted.height == 20)
  #expect(Array(fitted[10, 6]) == [0, 0, 0])
  #expect(Array(fitted[0, 7]) == [255, 255, 255])
  #expect(Array(fitted[19, 11]) == [255, 255, 255])
  #expect(Array(fitted[10, 12]) == [0, 0, 0])
}
