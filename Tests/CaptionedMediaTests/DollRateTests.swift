import CaptionedMedia
import Foundation
import Media
import Testing

/// Prints, does not score: timings are no test.
@Suite(.serialized) struct DollRateTests {
  @Test func printsTheRate() throws {
    guard let folder = Goldens.realDolls else { return }
    let source = try DollSource(DollComposer(folder: folder), seed: 1)
    let start = ContinuousClock.now
    for batch in 0..<200 {
      #expect(source.batch(at: Array(batch * 32..<(batch + 1) * 32)).captions.count == 32)
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    print("dolls per second on one thread, drawn, painted and captioned: \(Int(6_400 / seconds))")
  }
}
