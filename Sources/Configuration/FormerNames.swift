/// What settings were called before version 0.2.0: files with these names are refused, by the names
/// that there are.
package enum FormerNames {
  /// The version that had them.
  package static let version = "0.1.0"

  /// Present names by former ones.
  package static let present = [
    "iterationCount": "iterations", "epochCount": "epochs", "environmentCount": "environments",
    "decisionCount": "rolloutSteps", "fineTunedCount": "fineTunedSteps",
    "observationCount": "observationSteps", "predictionCount": "horizonSteps",
    "executedCount": "actionSteps", "discount": "gamma", "denoisingDiscount": "gammaDenoising",
    "traceDecay": "gaeLambda", "divergenceLimit": "targetKL",
    "cloningCoefficient": "bcLossCoefficient", "startsEpisodesAnew": "resetsEachIteration",
    "leastSamplingDeviation": "minSamplingStd", "leastJudgingDeviation": "minLogProbStd",
    "leastEta": "minEta", "judgesWholeChunk": "usesWholeChunkLogProb",
    "averageDecay": "emaDecay", "averageInterval": "emaInterval", "averageStart": "emaStart",
    "deviation": "std", "deviationKind": "stdKind", "minimumDeviation": "minStd",
    "maximumDeviation": "maxStd", "learnsDeviation": "learnsStd",
    "droppedShareLimit": "maxDroppedFraction", "frequencyShare": "frequencyFraction",
    "filmedEpisodes": "videoEpisodes",
  ]
}
