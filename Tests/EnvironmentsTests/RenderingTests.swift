import Media
import Testing

@testable import Environments

@Suite struct RenderingTests {
  /// The mean colour of a part of an image, given in shares of its width and height.
  private func meanColor(
    _ image: Image, columns: ClosedRange<Double>, rows: ClosedRange<Double>
  ) -> SIMD3<Double> {
    var sum = SIMD3<Double>(repeating: 0)
    var count = 0.0
    for row in pixels(rows, of: image.height) {
      for column in pixels(columns, of: image.width) {
        let start = 3 * (row * image.width + column)
        sum += SIMD3((0..<3).map { Double(image.samples[start + $0]) })
        count += 1
      }
    }
    return sum / count
  }

  private func pixels(_ part: ClosedRange<Double>, of size: Int) -> Range<Int> {
    Int(part.lowerBound * Double(size))..<Int(part.upperBound * Double(size))
  }

  /// Robots are orange; sky and floor are bluish.
  private func isOrange(_ image: Image, column: Int, row: Int) -> Bool {
    let start = 3 * (row * image.width + column)
    return Int(image.samples[start]) > Int(image.samples[start + 2]) + 60
  }

  @Test(arguments: ["hopper", "walker2d", "half-cheetah"])
  func robotsStandUprightInTheMiddle(name: String) throws {
    let environment = try EnvironmentRegistry.standard.make(name)
    try environment.reset(seed: 0)
    let image = try environment.render(width: 200, height: 160)
    #expect(image.width == 200 && image.height == 160)
    // Sky above: blue. Floor below: darker, nearly gray, with bright and dark squares.
    let sky = meanColor(image, columns: 0...1, rows: 0...0.15)
    let floor = meanColor(image, columns: 0...1, rows: 0.85...1)
    #expect(sky.z > sky.x + 25 && sky.z > 150, "sky \(sky)")
    #expect(floor.z < floor.x + 40 && floor.sum() < sky.sum(), "floor \(floor)")
    // The robot lies within the middle of the image.
    var orange: [(column: Int, row: Int)] = []
    for index in 0..<200 * 160 where isOrange(image, column: index % 200, row: index / 200) {
      orange.append((index % 200, index / 200))
    }
    #expect(orange.count > 200)
    let meanColumn = orange.map(\.column).reduce(0, +) / max(orange.count, 1)
    let meanRow = orange.map(\.row).reduce(0, +) / max(orange.count, 1)
    #expect((80...120).contains(meanColumn) && (50...110).contains(meanRow))
    #expect(orange.allSatisfy { $0.row > 5 && $0.row < 155 })
  }

  /// The cheetah's head is on its right: forward is to the right, nothing is mirrored.
  @Test func forwardIsToTheRight() throws {
    let cheetah = try LocomotionEnvironment.halfCheetah()
    var state = [Double](repeating: 0, count: 18)
    state[1] = 0.1
    cheetah.reset(.state(state))
    let image = try cheetah.render(width: 200, height: 160)
    func orangeCount(_ columns: Range<Int>, rows: Range<Int>) -> Int {
      rows.reduce(0) { sum, row in
        sum + columns.filter { isOrange(image, column: $0, row: row) }.count
      }
    }
    let top = (0..<160).first { orangeCount(0..<200, rows: $0..<$0 + 1) > 0 } ?? 0
    // The highest part is the head.
    #expect(orangeCount(100..<200, rows: top..<top + 6) > 0)
    #expect(orangeCount(0..<100, rows: top..<top + 6) == 0)
  }

  /// The image follows the robot instead of losing it.
  @Test func theCameraFollows() throws {
    let hopper = try LocomotionEnvironment.hopper()
    func image(x: Double) throws -> [UInt8] {
      hopper.reset(.state([x, 1.25, 0, 0, 0, 0] + [Double](repeating: 0, count: 6)))
      return try hopper.render(width: 64, height: 64).samples
    }
    // These are whole squares of the floor: the same image but for rounding. The last is past the
    // edge that the models have.
    let here = try image(x: 0)
    for x in [6.0, 120] {
      let changed = zip(here, try image(x: x)).filter { abs(Int($0) - Int($1)) > 40 }.count
      #expect(changed < here.count / 50, "\(changed) samples changed at \(x)")
    }
    hopper.reset(.state([0, 1.25, 0, -1, -1, 0.5] + [Double](repeating: 0, count: 6)))
    #expect(try hopper.render(width: 64, height: 64).samples != here)
  }

  @Test(arguments: [96, 512])
  func pushTIsDrawnWhereThingsAre(size: Int) throws {
    let environment = PushTEnvironment()
    environment.reset(.state([100, 420, 400, 90, 0]))
    let image = try environment.render(width: size, height: size)
    func color(_ x: Double, _ y: Double) -> [UInt8] {
      let start = 3 * (Int(y / 512 * Double(size)) * size + Int(x / 512 * Double(size)))
      return Array(image.samples[start..<start + 3])
    }
    #expect(color(100, 420) == [78, 126, 255])
    #expect(color(400, 105) == [143, 163, 184])
    #expect(color(400, 180) == [143, 163, 184])
    // The goal's stem points down and left from (256, 256).
    #expect(color(256 - 60, 256 + 60) == [144, 238, 144])
    #expect(color(256 + 60, 256 - 60) == [255, 255, 255])
    #expect(color(256 + 30, 256 + 40) == [144, 238, 144])
    #expect(color(60, 60) == [255, 255, 255])
  }

  /// Bar and stem of the goal are one shape: no seam shows where they meet.
  @Test(arguments: [96, 360, 512])
  func theGoalHasNoSeam(size: Int) throws {
    let environment = PushTEnvironment()
    environment.reset(.state([50, 50, 450, 100, 0]))
    let image = try environment.render(width: size, height: size)
    // From the bar's middle along the stem, which points down and left at 45 degrees.
    for distance in stride(from: 8.0, through: 100, by: 0.5) {
      let (x, y) = (256 - distance * 0.5.squareRoot(), 256 + distance * 0.5.squareRoot())
      let color = image[Int(x / 512 * Double(size)), Int(y / 512 * Double(size))]
      for (found, expected) in zip(color, [144, 238, 144]) {
        #expect(abs(Int(found) - expected) <= 2, "\(distance): \(color)")
      }
    }
  }

  @Test func imagelessEnvironmentsSaySo() {
    #expect {
      try CountingEnvironment().render(width: 8, height: 8)
    } throws: { error in
      "\(error)".contains("counting cannot be rendered")
    }
  }
}
