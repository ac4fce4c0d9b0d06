import Tensors
import Testing

@testable import Runs

@Suite struct FiniteCheckTests {
  private let check = FiniteCheck(iteration: 12, lastCheckpoint: "run/a.safetensors")

  @Test func finiteNumbersPass() throws {
    #expect(try check.checked(1.5, "loss") == 1.5)
    let most = Float.greatestFiniteMagnitude
    #expect(
      try check.checked(Tensor([0, -0.0, most, -most, .leastNonzeroMagnitude]), "x").count == 5)
  }

  @Test func aTensorNamesIterationAndCheckpoint() {
    let tensor = Tensor([1, .nan, -.infinity, .infinity])
    let error = #expect(throws: NonFiniteError.self) {
      try check.checked(tensor, "actor.weight gradient")
    }
    #expect(
      error?.description
        == "iteration 12: 'actor.weight gradient' has 3 of 4 elements that are not finite; the last "
        + "good checkpoint is run/a.safetensors; try a lower learning rate")
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity]) func aNumber(number: Float) {
    let error = #expect(throws: NonFiniteError.self) {
      try FiniteCheck(iteration: 1, lastCheckpoint: nil).checked(number, "loss")
    }
    #expect(
      error?.description
        == "iteration 1: 'loss' is not finite; there is no checkpoint yet; try a lower learning rate"
    )
  }
}
