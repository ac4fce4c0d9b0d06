import InitialNoise
import Tensors
import Testing

@Suite struct DiversityTests {
  @Test func isTheMeanDistanceOfPairs() throws {
    // Distances 1 (right angles), 0 (the same) and 1.
    let features = Tensor(shape: [3, 2], elements: [1, 0, 0, 1, 0, 1])
    let estimate = try #require(Diversity.estimate(ofFeatures: features))
    #expect(abs(estimate.mean - 2.0 / 3) < 1e-6)
    // Mean distances to the others of 1, 1/2 and 1/2: a standard deviation of 1 / sqrt(12).
    #expect(abs(estimate.standardError - 2 / 12.0.squareRoot() / 3.0.squareRoot()) < 1e-6)
  }

  @Test func oneImageHasNone() {
    #expect(Diversity.estimate(ofFeatures: Tensor(shape: [1, 2], elements: [1, 0])) == nil)
  }

  /// The standard error is that of means over many samples of features.
  @Test func standardErrorIsThatOfRepetitions() throws {
    var random = RandomStream(seed: 3)
    var means: [Double] = []
    var errors: [Double] = []
    for _ in 0..<400 {
      let draw = random.normal([24, 3])
      let norms = draw.squared().sum(along: 1, keepsDimension: true).squareRoot()
      let estimate = try #require(Diversity.estimate(ofFeatures: draw / norms))
      means.append(estimate.mean)
      errors.append(estimate.standardError)
    }
    let mean = means.reduce(0, +) / 400
    let std =
      (means.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 399).squareRoot()
    let error = errors.reduce(0, +) / 400
    // For directions without a preferred one the U-statistic is degenerate: the estimate is too
    // large rather than too small.
    #expect(abs(mean - 1) < 0.01)
    #expect(error > 0.9 * std && error < 4 * std)
  }
}
