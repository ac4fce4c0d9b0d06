import Foundation
import NeuralNetworks
import Tensors
import Testing

@testable import TextToImage

/// The memory of Stable Diffusion 1's U-Net, with weights that mean nothing; takes 5 GB and a
/// minute.
@Suite struct MemoryTests {
  /// Bytes that a line of /proc/self/status says.
  private func status(_ key: String) throws -> Int {
    let text = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(key + ":") })
    return try #require(
      line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }) << 10
  }

  @Test func predictionsTakeLittleMoreThanTheWeights() throws {
    guard ProcessInfo.processInfo.environment["ATTUNE_LARGE_TESTS"] != nil else {
      print("skipped: the memory of Stable Diffusion's U-Net: ATTUNE_LARGE_TESTS is not set")
      return
    }
    var unset = UnsetWeights()
    let unet = UNet2DConditionModel(UNetConfiguration(), random: &unset)
    var random = RandomStream(seed: 1)
    for (_, parameter) in unet.parameters {
      // Written in place, as a file is read: nothing else is ever allocated.
      parameter.value = Tensor(shape: parameter.value.shape) { elements in
        for index in elements.indices { elements[index] = Float(index % 17 - 8) * 0.005 }
      }
      parameter.isTrainable = false
    }
    let weights = unet.parameters.elementCount * MemoryLayout<Float>.size
    #expect(weights == 859_520_964 * 4)
    print("loaded: \(try status("VmRSS") >> 20) MB")
    let context = unet.context(random.normal([1, 77, 768]))
    let sample = random.normal([1, 64, 64, 4])
    for call in 1...2 {
      let start = ContinuousClock.now
      let prediction = unet(sample, timeSteps: .shared(500), context: context)
      #expect(prediction.shape == [1, 64, 64, 4])
      let peak = try status("VmHWM")
      print(
        """
        call \(call): peak \(peak >> 20) MB for \(weights >> 20) MB of weights, \
        now \(try status("VmRSS") >> 20) MB, \(ContinuousClock.now - start)
        """)
    }
    // PyTorch 2.15: 4,332 MB with its libraries.
    #expect(try status("VmHWM") < 4_332 << 20)
  }
}
