import Files
import Tensors

/// onnxruntime in the Python that `ATTUNE_PYTHON` names (`pip install onnx onnxruntime`): what others
/// make of an ONNX file.
public struct ONNXRuntime: Sendable {
  /// Has numpy, onnx and onnxruntime.
  public let python: Python

  /// Nil, with a printed reason, where there is none.
  public init?(for test: String) {
    guard let python = Python(with: ["numpy", "onnx", "onnxruntime"], for: test) else { return nil }
    self.python = python
  }

  /// Checks a file by `onnx.checker` with the shapes of all values, and runs it.
  ///
  /// - Parameters:
  ///   - model: the file's path.
  ///   - inputs: by name, for each run; whole numbers where the model takes them.
  /// - Returns: the outputs of each run by name.
  /// - Throws: `Python.Failure` if the file is not valid or does not run.
  public func run(
    _ model: String, _ inputs: [[String: Tensor]]
  ) throws -> [[String: Tensor]] {
    let folder = try TemporaryFolder()
    for (index, input) in inputs.enumerated() {
      try NPZFile.write(
        input.mapValues { StoredTensor($0) }, to: folder.file("input\(index).npz"))
    }
    _ = try python.run(Self.program, [model, folder.path, "\(inputs.count)"])
    return try inputs.indices.map { index in
      let file = try NPZFile(path: folder.file("output\(index).npz"))
      var outputs: [String: Tensor] = [:]
      for name in file.names { outputs[name] = try file.tensor(named: name) }
      return outputs
    }
  }

  private static let program = """
    import sys
    import numpy, onnx, onnxruntime
    path, folder, count = sys.argv[1:]
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": numpy.float32, "tensor(int64)": numpy.int64}
    for index in range(int(count)):
        given = numpy.load(f"{folder}/input{index}.npz")
        names = {port.name for port in session.get_inputs()}
        assert names == set(given.files), (names, given.files)
        feed = {p.name: given[p.name].astype(kinds[p.type]) for p in session.get_inputs()}
        outputs = [port.name for port in session.get_outputs()]
        values = session.run(outputs, feed)
        for port, value in zip(session.get_outputs(), values):
            declared = [size if isinstance(size, int) else None for size in port.shape]
            fits = [size in (None, found) for size, found in zip(declared, value.shape)]
            assert len(declared) == value.ndim and all(fits), (port.name, declared, value.shape)
        numpy.savez(f"{folder}/output{index}.npz", **dict(zip(outputs, values)))
    """
}
