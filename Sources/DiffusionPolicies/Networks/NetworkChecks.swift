import NeuralNetworks

extension NetworkConfiguration {
  /// Checks the numbers that a configuration file may get wrong.
  func validate(predictionCount: Int) throws {
    func require(_ holds: Bool, _ field: String, _ found: Any, _ expected: String) throws {
      guard holds else {
        throw SettingError(key: field, found: "\(found)", expected: expected)
      }
    }
    if kind != .gaussian {
      try require(
        timeEmbeddingSize >= 4 && timeEmbeddingSize % 2 == 0, "timeEmbeddingSize",
        timeEmbeddingSize, "an even number from 4 up")
    }
    switch kind {
    case .mlp, .gaussian:
      // A network that predicts its deviation ends in the last hidden layer.
      let isHeaded = kind == .gaussian && deviationKind == .predicted
      let blockSizes = isHeaded ? Array(hiddenSizes.dropLast()) : hiddenSizes
      try Self.validatePerceptron(
        hiddenSizes, blockSizes: isResidual ? blockSizes : nil, field: "hiddenSizes")
      try require(
        observationSizes.allSatisfy { $0 > 0 }, "observationSizes", observationSizes,
        "positive sizes, or to none")
    case .unet:
      try require(width > 0, "width", width, "a positive number")
      try require(
        multipliers.first == 1 && multipliers.allSatisfy { $0 > 0 }, "multipliers", multipliers,
        "positive numbers, the first 1")
      let stride = 1 << (multipliers.count - 1)
      try require(
        predictionCount % stride == 0, "multipliers", multipliers,
        "fewer levels: \(multipliers.count) need chunks of a multiple of \(stride) actions, "
          + "not \(predictionCount)")
      try require(kernelSize > 0 && kernelSize % 2 == 1, "kernelSize", kernelSize, "an odd number")
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
    guard !sizes.isEmpty, sizes.allSatisfy({ $0 > 0 }) else {
      throw SettingError(
        key: field, found: "\(sizes)", expected: "one or more positive sizes")
    }
    guard let blockSizes else { return }
    guard blockSizes.count % 2 == 1, Set(blockSizes).count == 1 else {
      throw SettingError(
        key: field, found: "\(sizes)",
        expected: "an odd number of equal sizes for residual blocks, or set isResidual to false")
    }
  }
}
