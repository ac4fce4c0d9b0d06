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

/// Parts are cut from the whole, whether directions grow, shrink or stay.
@Test func partsOfResizedImagesAreThoseOfTheWhole() throws {
  let golden = try Goldens.read("resizes.json", as: Resizes.self)
  for channelCount in [1, 3, 4] {
    let source = golden.source(channelCount: channelCount)
    let sizes = [
      (3 * source.width, 2 * source.height + 1), (source.width / 2 + 1, source.height / 3 + 3),
      (source.width, source.height + 5), (source.width, source.height),
    ]
    for method in ResizeMethod.allCases {
      for (width, height) in sizes {
        let whole = source.resized(width: width, height: height, method: method)
        let (columns, rows) = (1..<width - 1, 2..<height)
        let part = source.resized(
          width: width, height: height, method: method, columns: columns, rows: rows)
        let expected = rows.flatMap { y in columns.flatMap { x in Array(whole[x, y]) } }
        #expect(part.width == columns.count && part.height == rows.count)
        #expect(part.samples == expected, "\(method) to \(width)x\(height)x\(channelCount)")
      }
    }
  }
}

/// The whole would have 400 thousand million pixels.
@Test func partsOfLongStripsTakeLittleMemory() {
  let strip = Image(width: 1, height: 8_000_000, filledWith: Color(0x123456))
  for method in ResizeMethod.allCases {
    let part = strip.resized(
      width: 224, height: 224 * 8_000_000, method: method, columns: 0..<224,
      rows: 112 * 8_000_000..<112 * 8_000_000 + 224)
    #expect(part == Image(width: 224, height: 224, filledWith: Color(0x123456)), "\(method)")
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
