import Testing

@testable import Tensors

@Suite struct ConvolutionGeometryTests {
  @Test func aKernelAsLargeAsThePaddedInputFits() {
    let x = Tensor.ones([1, 3, 4, 1])
    let result = x.convolved2D(weight: .ones([1, 1, 5, 6]), stride: 2, padding: 1)
    #expect(result.shape == [1, 1, 1, 1])
    #expect(result.elements == [12])
  }

  /// One row too few: with stride 2 the quotient is cut to 0, which would make one position.
  @Test func aLargerKernelDoesNotFit() async {
    let tall = ConvolutionGeometry(
      kernelHeight: 6, kernelWidth: 6, strideHeight: 2, strideWidth: 2, paddingHeight: 1,
      paddingWidth: 1)
    #expect(tall.fits([1, 4, 4, 1]))
    #expect(!tall.fits([1, 3, 4, 1]) && !tall.fits([1, 4, 3, 1]))
    #expect(ConvolutionGeometry.line(kernel: 6, stride: 2, padding: 1).fits([1, 1, 4, 1]))
    #expect(!ConvolutionGeometry.line(kernel: 6, stride: 2, padding: 1).fits([1, 1, 3, 1]))
    await #expect(processExitsWith: .failure) {
      _ = Tensor.ones([1, 3, 4, 1]).convolved2D(weight: .ones([1, 1, 6, 6]), stride: 2, padding: 1)
    }
  }
}
