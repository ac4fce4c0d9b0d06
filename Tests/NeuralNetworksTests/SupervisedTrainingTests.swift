import Tensors
import TestSupport
import Testing

@testable import NeuralNetworks

/// The loop of all supervised trainings, on a line through points.
struct SupervisedTrainingTests {
  private let inputs: Tensor
  private let targets: Tensor

  init() {
    var random = RandomStream(seed: 3)
    inputs = random.normal([8, 2])
    targets = random.normal([8, 1])
  }

  private func layer() -> Linear {
    var random = RandomStream(seed: 1)
    return Linear(inputSize: 2, outputSize: 1, random: &random)
  }

  private func step(_ training: SupervisedTraining, _ layer: Linear) throws
    -> SupervisedTraining.Report
  {
    let (inputs, targets) = (inputs, targets)
    return try training.step(rows: 8, shardSize: 3) { rows in
      Losses.meanSquaredError(layer(inputs.slice(rows)), targets.slice(rows))
        * (Float(rows.count) / 8)
    }
  }

  private func options(_ change: (inout SupervisedTraining.Options) -> Void = { _ in })
    -> SupervisedTraining.Options
  {
    var options = SupervisedTraining.Options(
      schedule: .cosine(initial: 0.1, final: 0.01, stepCount: 8))
    change(&options)
    return options
  }

  /// The same by hand: AdamW at the rate, then the average.
  @Test func takesTheStepsOfItsParts() throws {
    let (layer, other) = (layer(), layer())
    let training = SupervisedTraining(
      layer.parameters,
      options {
        $0.warmUpSteps = 2
        $0.maxGradientNorm = 0.1
        $0.emaDecay = 0.75
      })
    let adam = Adam.withDecoupledDecay(other.parameters)
    var average = ExponentialMovingAverage(of: other.parameters, decay: 0.75)
    let schedule = LearningRateSchedule.cosine(initial: 0.1, final: 0.01, stepCount: 8)
    for index in 0..<4 {
      let report = try step(training, layer)
      let rate = schedule.rate(atStep: index) * (index < 2 ? Double(index + 1) / 2 : 1)
      #expect(report.learningRate == rate)
      #expect(report.gradientNorm > 0.1)
      let (inputs, targets) = (inputs, targets)
      let (_, _, gradients) = try SingleProcess().shardedValueAndGradients(
        count: 8, shardSize: 3, of: other.parameters
      ) { rows in
        ShardResult(
          loss: Losses.meanSquaredError(other(inputs.slice(rows)), targets.slice(rows))
            * (Float(rows.count) / 8))
      }
      let (scale, norm) = gradients.clippingScale(maximumNorm: 0.1, parameters: other.parameters)
      #expect(report.gradientNorm == norm)
      adam.learningRate = Float(rate)
      adam.step(gradients, gradientScale: scale)
      average.update(from: other.parameters)
    }
    #expect(layer.weight.value.elements == other.weight.value.elements)
    #expect(training.emaWeights["weight"]?.elements == average.values["weight"]?.elements)
    let own = layer.weight.value.elements
    training.withEMAWeights {
      #expect(layer.weight.value.elements == average.values["weight"]?.elements)
    }
    #expect(layer.weight.value.elements == own)
  }

  @Test func resumedTrainingIsTheSame() throws {
    let change: (inout SupervisedTraining.Options) -> Void = {
      $0.emaStart = 2
      $0.emaInterval = 2
      $0.emaWarmsUp = true
    }
    let whole = layer()
    let training = SupervisedTraining(whole.parameters, options(change))
    for _ in 0..<3 { _ = try step(training, whole) }
    let state = training.state
    let reports = try (0..<3).map { _ in try step(training, whole) }
    let resumed = layer()
    let second = SupervisedTraining(resumed.parameters, options(change))
    try second.restore(state)
    #expect(second.stepIndex == 3)
    #expect(try reports == (0..<3).map { _ in try step(second, resumed) })
    #expect(resumed.weight.value.elements == whole.weight.value.elements)
    let averages = training.emaWeights.mapValues(\.elements)
    #expect(second.emaWeights.mapValues(\.elements) == averages)
  }

  /// Weights are brought back before they are averaged, and nothing happens to them where the loss
  /// is not finite.
  @Test func constraintsAndNonFiniteLosses() throws {
    let layer = layer()
    let training = SupervisedTraining(
      layer.parameters, options { $0.emaDecay = 0 },
      constrain: { layer.weight.value = layer.weight.value.clamped(to: -0.01, 0.01) })
    _ = try step(training, layer)
    #expect(layer.weight.value.elements.allSatisfy { abs($0) <= 0.01 })
    let average = try #require(training.emaWeights["weight"])
    #expect(maxDifference(average, layer.weight.value) <= 1e-7)
    let before = layer.parameters.values.mapValues(\.elements)
    let error = #expect(throws: NonFiniteGradient.self) {
      try training.step(rows: 1, shardSize: 1) { _ in
        layer(Tensor(shape: [1, 2], elements: [.infinity, 0])).sum()
      }
    }
    #expect(error?.isWeight == false)
    #expect(training.stepIndex == 1)
    #expect(layer.parameters.values.mapValues(\.elements) == before)
  }

  /// The average follows every second step, half of the way.
  @Test func emaIsUpdatedAtItsInterval() throws {
    let layer = layer()
    let training = SupervisedTraining(
      layer.parameters,
      options {
        $0.emaDecay = 0.5
        $0.emaInterval = 2
      })
    let start = layer.weight.value
    _ = try step(training, layer)
    #expect(training.emaWeights["weight"]?.elements == start.elements)
    _ = try step(training, layer)
    let average = try #require(training.emaWeights["weight"])
    #expect(maxDifference(average, (start + layer.weight.value) / 2) <= 1e-6)
  }
}
