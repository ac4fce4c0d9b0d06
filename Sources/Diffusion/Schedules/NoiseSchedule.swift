import Foundation
import Tensors

/// How much noise a sample carries at each of a model's training time steps:
/// x_t = sqrt(alphaBar_t) x_0 + sqrt(1 - alphaBar_t) e (Ho et al., arXiv:2006.11239, equation 4).
///
/// Values are computed in the precision that PyTorch code uses, so that they agree with diffusers'.
public struct NoiseSchedule: Sendable, Equatable {
  /// beta_t, the variance that time step t adds.
  public let betas: [Float]
  /// alphaBar_t, the product of 1 - beta up to time step t; `alphas_cumprod` in diffusers.
  public let cumulativeAlphas: [Float]

  /// A schedule with the given variances, each in 0 ... 1.
  public init(betas: [Float]) {
    precondition(!betas.isEmpty, "a noise schedule needs at least one time step")
    precondition(
      betas.allSatisfy { (0...1).contains($0) }, "the betas of a noise schedule lie in 0 ... 1")
    self.betas = betas
    // As torch.cumprod: float32 factors, products carried in float64.
    var product = 1.0
    cumulativeAlphas = betas.map {
      product *= Double(1 - $0)
      return Float(product)
    }
  }

  /// The number of training time steps, K in DPPO and T elsewhere.
  public var timeStepCount: Int { betas.count }

  /// Whether nothing of the sample is left at the last time step.
  public var hasZeroTerminalSNR: Bool { cumulativeAlphas[timeStepCount - 1] == 0 }

  /// The square root of alphaBar_t: how much of the sample is left.
  public var signalScales: [Float] { cumulativeAlphas.map { $0.squareRoot() } }

  /// The square root of 1 - alphaBar_t: how much noise there is.
  public var noiseScales: [Float] { cumulativeAlphas.map { (1 - $0).squareRoot() } }

  /// Betas evenly spaced, as `linear` in diffusers.
  public static func linear(
    timeStepCount: Int = 1000, first: Double = 0.0001, last: Double = 0.02
  ) -> NoiseSchedule {
    NoiseSchedule(betas: evenlySpaced(Float(first), Float(last), count: timeStepCount))
  }

  /// Square roots of betas evenly spaced, as `scaled_linear` in diffusers; the defaults are Stable
  /// Diffusion's.
  public static func scaledLinear(
    timeStepCount: Int = 1000, first: Double = 0.00085, last: Double = 0.012
  ) -> NoiseSchedule {
    let roots = evenlySpaced(
      Float(first.squareRoot()), Float(last.squareRoot()), count: timeStepCount)
    return NoiseSchedule(betas: roots.map { $0 * $0 })
  }

  /// alphaBar a squared cosine (Nichol and Dhariwal, arXiv:2102.09672, equation 17), as
  /// `squaredcos_cap_v2` in diffusers.
  public static func squaredCosine(
    timeStepCount: Int = 1000, maxBeta: Double = 0.999
  ) -> NoiseSchedule {
    func alphaBar(_ time: Double) -> Double {
      let cosine = cos((time + 0.008) / 1.008 * Double.pi / 2)
      return cosine * cosine
    }
    let count = Double(timeStepCount)
    return NoiseSchedule(
      betas: (0..<timeStepCount).map { index in
        let ratio = alphaBar(Double(index + 1) / count) / alphaBar(Double(index) / count)
        return Float(min(1 - ratio, maxBeta))
      })
  }

  /// The squared cosine as diffusion policies trained with the DPPO reference have it: K + 1 points
  /// from 0 to K + 1, both included, so that points lie (K + 1) / K apart.
  public static func policyCosine(timeStepCount: Int) -> NoiseSchedule {
    let steps = Double(timeStepCount + 1)
    let spacing = steps / Double(timeStepCount)
    let cosines = (0...timeStepCount).map { index in
      // The last point is exactly K + 1.
      let point = index == timeStepCount ? steps : Double(index) * spacing
      let cosine = cos((point / steps + 0.008) / 1.008 * Double.pi * 0.5)
      return cosine * cosine
    }
    return NoiseSchedule(
      betas: (0..<timeStepCount).map { index in
        let ratio = (cosines[index + 1] / cosines[0]) / (cosines[index] / cosines[0])
        return Float(min(max(1 - ratio, 0), 0.999))
      })
  }

  /// The schedule stretched so that the last time step is pure noise (Lin et al.,
  /// arXiv:2305.08891, algorithm 1). A network that predicts noise has nothing to go by there.
  public func rescaledToZeroTerminalSNR() -> NoiseSchedule {
    let roots = signalScales
    let (first, last) = (roots[0], roots[timeStepCount - 1])
    let stretch = first / (first - last)
    let alphaBars = roots.map { root in
      let stretched = (root - last) * stretch
      return stretched * stretched
    }
    let betas = alphaBars.indices.map { index in
      1 - (index == 0 ? alphaBars[0] : alphaBars[index] / alphaBars[index - 1])
    }
    return NoiseSchedule(betas: betas)
  }

  /// As `torch.linspace` in float32, which counts from the nearer end and rounds once.
  private static func evenlySpaced(_ first: Float, _ last: Float, count: Int) -> [Float] {
    guard count > 1 else { return [first] }
    let spacing = (last - first) / Float(count - 1)
    return (0..<count).map { index in
      index < count / 2
        ? first.addingProduct(spacing, Float(index))
        : last.addingProduct(-spacing, Float(count - 1 - index))
    }
  }
}

extension NoiseSchedule {
  /// sqrt(alphaBar) and sqrt(1 - alphaBar) at some time steps.
  func scales(
    at times: [Int], predictionType: PredictionType
  ) -> (signal: [Float], noise: [Float]) {
    precondition(
      predictionType != .noise || times.allSatisfy { cumulativeAlphas[$0] > 0 },
      "a network that predicts noise cannot start from zero SNR: predict velocity instead")
    return (
      times.map { cumulativeAlphas[$0].squareRoot() },
      times.map { (1 - cumulativeAlphas[$0]).squareRoot() }
    )
  }
}

/// Which of a model's T training time steps a sampler visits (Lin et al., arXiv:2305.08891, table
/// 2).
public enum TimeStepSpacing: String, Sendable, CaseIterable, Codable {
  /// Every (T / N)-th from `offset` up: leaves out the noisiest.
  case leading
  /// Every (T / N)-th from T - 1 down: leaves out the cleanest.
  case trailing
  /// N evenly from 0 to T - 1, both included.
  case linspace

  /// `count` time steps, noisiest first.
  ///
  /// - Parameters:
  ///   - count: N.
  ///   - timeStepCount: T.
  ///   - offset: added where the spacing is leading; `steps_offset` in diffusers.
  public func timeSteps(_ count: Int, of timeStepCount: Int, offset: Int = 0) -> [Int] {
    positions(count, of: timeStepCount, offset: offset).map { Int($0.rounded(.toNearestOrEven)) }
  }

  /// As `timeSteps`, but evenly spaced ones are not rounded: solvers that interpolate noise levels
  /// take them as they are.
  func positions(_ count: Int, of timeStepCount: Int, offset: Int) -> [Double] {
    precondition(
      (1...timeStepCount).contains(count),
      "cannot take \(count) of a model's \(timeStepCount) time steps")
    let ascending: [Double]
    switch self {
    case .leading:
      let stride = timeStepCount / count
      precondition(
        offset >= 0 && (count - 1) * stride + offset < timeStepCount,
        "an offset of \(offset) leads past the last of \(timeStepCount) time steps")
      ascending = (0..<count).map { Double($0 * stride + offset) }
    case .trailing:
      let stride = Double(timeStepCount) / Double(count)
      return (0..<count).map { index in
        (Double(timeStepCount) - Double(index) * stride).rounded(.toNearestOrEven) - 1
      }
    case .linspace:
      let stride = count > 1 ? Double(timeStepCount - 1) / Double(count - 1) : 0
      ascending = (0..<count).map { Double($0) * stride }
    }
    return ascending.reversed()
  }

  /// The whole time steps of the solvers in lambda, noisiest first: leading and evenly spaced ones
  /// leave room for the end, so that the cleanest of N + 1 is dropped.
  ///
  /// - Parameters:
  ///   - count: N.
  ///   - timeStepCount: T.
  ///   - last: time steps are below this, T as a rule.
  ///   - offset: added where the spacing is leading.
  func solverTimeSteps(
    _ count: Int, of timeStepCount: Int, upTo last: Int, offset: Int
  ) -> [Double] {
    switch self {
    case .leading, .linspace:
      return timeSteps(count + 1, of: last, offset: offset).dropLast().map(Double.init)
    case .trailing where last == timeStepCount:
      return timeSteps(count, of: timeStepCount).map(Double.init)
    case .trailing:
      let stride = Double(timeStepCount) / Double(count)
      return (0..<Int((Double(last) / stride).rounded(.up))).map { index in
        (Double(last) - Double(index) * stride).rounded(.toNearestOrEven) - 1
      }
    }
  }
}
