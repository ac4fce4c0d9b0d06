import Testing

@testable import Runs

@Suite struct NonFiniteErrorTests {
  @Test func namesIterationAndCheckpoint() {
    let error = NonFiniteError(
      iteration: 12, name: "actor.weight", badCount: 3, count: 4_000,
      lastCheckpoint: "run/a.safetensors")
    #expect(
      error.description
        == "iteration 12: 'actor.weight' has 3 of 4,000 elements that are not finite; the last good "
        + "checkpoint is run/a.safetensors; try a lower learning rate")
  }

  @Test func ofASingleNumber() {
    let error = NonFiniteError(
      iteration: 1, name: "loss", badCount: 1, count: 1, lastCheckpoint: nil)
    #expect(
      error.description
        == "iteration 1: 'loss' is not finite; there is no checkpoint yet; are all numbers of the "
        + "data finite and of a usual size? else try a lower learning rate")
  }

  @Test func ofAWeight() {
    let error = NonFiniteError(
      iteration: 1, name: "unet.conv_in.weight", badCount: 2, count: 9, lastCheckpoint: nil,
      isWeight: true)
    #expect(
      error.description
        == "iteration 1: 'unet.conv_in.weight' has 2 of 9 elements that are not finite; there is no "
        + "checkpoint yet; a weight was so before this iteration: start from a valid model")
  }
}
