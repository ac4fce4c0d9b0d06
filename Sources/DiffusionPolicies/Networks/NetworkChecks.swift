import NeuralNetworks

extension NetworkConfiguration {
  /// No network is wider: a layer between two such would take 17 GB.
  private static let sizeLimit = 65_536
  private static let sizes = 1...sizeLimit

  /// Checks the numbers that a configuration file may get wrong.
  func validate(predictionCount: Int) throws {
    func require(_ holds: Bool, _ field: String, _ found: Any, _ expected: String) throws {
      guard holds else {
        throw SettingError(key: field, found: "\(found)", expected: expected)
      }
    }
    if kind != .gaussian {
      try require(
        (4...Self.sizeLimit).contains(timeEmbeddingSize) && timeEmbeddingSize % 2 == 0,
        "timeEmbeddingSize", timeEmbeddingSize, "an even number from 4 to \(Self.sizeLimit)")
    }
    switch kind {
    case .mlp, .gaussian:
      // A network that predicts its deviation ends in the last hidden layer.
      let isHeaded = kind == .gaussian && deviationKind == .predicted
      let blockSizes = isHeaded ? Array(hiddenSizes.dropLast()) : hiddenSizes
      try Self.validatePerceptron(
        hiddenSizes, blockSizes: isResidual ? blockSizes : nil, field: "hiddenSizes")
      try require(
        observationSizes.allSatisfy { Self.sizes.contains($0) }, "observationSizes",
        observationSizes, "sizes from 1 to \(Self.sizeLimit), or none")
    case .unet:
      try require(Self.sizes.contains(width), "width", width, "1 to \(Self.sizeLimit)")
      try require(
        multipliers.first == 1 && multipliers.count <= 16
          && multipliers.allSatisfy { (1...64).contains($0) }, "multipliers", multipliers,
        "up to 16 numbers from 1 to 64, the first 1")
      let stride = 1 << (multipliers.count - 1)
      try require(
        predictionCount % stride == 0, "multipliers", multipliers,
        "fewer levels: \(multipliers.count) need chunks of a multiple of \(stride) actions, "
          + "not \(predictionCount)")
      try require(
        (1...255).contains(kernelSize) && kernelSize % 2 == 1, "kernelSize", kernelSize,
        "an odd number up to 255")
      try require(
        groupCount >= 0 && (groupCount == 0 || width % groupCount == 0), "groupCount", groupCount,
        "a divisor of width \(width), or 0 for no normalization")
      if !observationSizes.isEmpty {
        try Self.validatePerceptron(
          observationSizes, blockSizes: Array(observationSizes.dropLast()),
          field: "observationSizes")
      }
    }
    if kind == .gaussian {
      try require(deviation > 0, "deviation", deviation, "a positive number")
      try require(
        minimumDeviation > 0 && minimumDeviation < maximumDeviation, "minimumDeviation",
        minimumDeviation, "a positive number below maximumDeviation \(maximumDeviation)")
    }
  }

  /// Checks a perceptron's layers; `blockSizes` are those that must form residual blocks.
  static func validatePerceptron(_ sizes: [Int], blockSizes: [Int]?, field: String) throws {
    guard !sizes.isEmpty, sizes.allSatisfy({ Self.sizes.contains($0) }) else {
      throw SettingError(
        key: field, found: "\(sizes)", expected: "one or more sizes from 1 to \(sizeLimit)")
    }
    guard let blockSizes else { return }
    guard blockSizes.count % 2 == 1, Set(blockSizes).count == 1 else {
      throw SettingError(
        key: field, found: "\(sizes)",
        expected: "an odd number of equal sizes for residual blocks, or set isResidual to false")
    }
  }
}
