import Configuration

extension NetworkConfiguration {
  /// No network is wider: a layer between two such would take 17 GB.
  private static let sizeLimit = 65_536
  private static let sizes = 1...sizeLimit

  /// Checks what layers must be to one another and to a chunk.
  ///
  /// - Throws: `ConfigurationError` naming the setting.
  func check(horizonSteps: Int) throws {
    try validate()
    func require(_ holds: Bool, _ field: String, _ found: Any, _ expected: String) throws {
      try ConfigurationError.require(holds, field, found, expected)
    }
    switch kind {
    case .mlp, .gaussian:
      // A network that predicts its standard deviation ends in the last hidden layer.
      let isHeaded = kind == .gaussian && stdKind == .predicted
      let blockSizes = isHeaded ? Array(hiddenSizes.dropLast()) : hiddenSizes
      try Self.validateMLP(
        hiddenSizes, blockSizes: isResidual ? blockSizes : nil, field: "hiddenSizes")
      try require(
        observationSizes.allSatisfy { Self.sizes.contains($0) }, "observationSizes",
        observationSizes, "sizes from 1 to \(Self.sizeLimit), or none")
    case .unet:
      try require(
        multipliers.first == 1 && multipliers.count <= 16
          && multipliers.allSatisfy { (1...64).contains($0) }, "multipliers", multipliers,
        "up to 16 numbers from 1 to 64, the first 1")
      let stride = 1 << (multipliers.count - 1)
      try require(
        horizonSteps % stride == 0, "multipliers", multipliers,
        "fewer levels: \(multipliers.count) need chunks of a multiple of \(stride) actions, "
          + "not \(horizonSteps)")
      try require(
        groupCount == 0 || width % groupCount == 0, "groupCount", groupCount,
        "a divisor of width \(width), or 0 for no normalization")
      if !observationSizes.isEmpty {
        try Self.validateMLP(
          observationSizes, blockSizes: Array(observationSizes.dropLast()),
          field: "observationSizes")
      }
    }
    if kind == .gaussian {
      try require(
        minStd < maxStd, "minStd",
        minStd, "a positive number below maxStd \(maxStd)")
    }
  }

  /// Checks an MLP's layers; `blockSizes` are those that must form residual blocks.
  static func validateMLP(_ sizes: [Int], blockSizes: [Int]?, field: String) throws {
    guard !sizes.isEmpty, sizes.allSatisfy({ Self.sizes.contains($0) }) else {
      throw ConfigurationError.badValue(
        key: field, found: sizes, expected: "one or more sizes from 1 to \(sizeLimit)")
    }
    guard let blockSizes else { return }
    guard blockSizes.count % 2 == 1, Set(blockSizes).count == 1 else {
      throw ConfigurationError.badValue(
        key: field, found: sizes,
        expected: "an odd number of equal sizes for residual blocks, or set isResidual to false")
    }
  }
}

extension SettingRange<Int> {
  /// Centered on an action.
  static var oddKernel: SettingRange {
    .init("an odd number up to 255") { (1...255).contains($0) && $0 % 2 == 1 }
  }

  /// Half of it are sines, half cosines.
  static var evenWidth: SettingRange {
    .init("an even number from 4 to 65536") { (4...65_536).contains($0) && $0 % 2 == 0 }
  }
}
