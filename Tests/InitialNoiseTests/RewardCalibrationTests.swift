import Testing

@testable import InitialNoise

struct RewardCalibrationTests {
  /// 1 - (2 + 6) / 2, 2 - (1 + 6) / 2, 6 - (1 + 2) / 2
  @Test func leaveOneOutComparesWithTheOthers() {
    #expect(RewardCalibration.leaveOneOut([1, 2, 6]) == [-3, -1.5, 4.5])
    #expect(RewardCalibration.leaveOneOut([4, 1]) == [3, -3])
    #expect(RewardCalibration.leaveOneOut([5]) == [0])
  }

  /// (rank - 1 / 2) / 4 - 1 / 2, times sqrt(12); equal rewards share the mean of their ranks.
  @Test func ranksAreSpreadEvenly() {
    let found = RewardCalibration.ranks([7, -1, 100, -1])
    let expected: [Float] = [0.125, -0.25, 0.375, -0.25].map { $0 * Float(12).squareRoot() }
    #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= 1e-6 }, "\(found)")
  }

  /// The squares of -2, -1, 3 over two.
  @Test func stdIsUnbiased() throws {
    let found = try #require(RewardCalibration.std(of: [1, 2, 6]))
    #expect(abs(found - Float(7).squareRoot()) <= 1e-6)
    #expect(RewardCalibration.std(of: [3, 3, 3]) == nil)
    #expect(RewardCalibration.std(of: [3]) == nil)
  }
}
