import ArgumentParser
import Configuration
import DiffusionPolicies
import Files
import Foundation
import ONNX
import Runs

/// `attune policy export --checkpoint FILE --output POLICY.onnx [--step-by-step]`
struct PolicyExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Export a policy as an ONNX file, for other runtimes.",
    discussion: """
      The file takes raw observations and noise, and gives actions: normalization and all denoising \
      steps are in it. With --step-by-step it is the network alone, for a sampler of your own, whose \
      numbers are in the file's metadata. docs/exporting.md lists inputs and outputs, samples/export \
      runs a file with onnxruntime.

      Examples:
        attune policy export --checkpoint checkpoints/hopper-finetuned.safetensors \\
          --output hopper.onnx
        attune policy export --checkpoint runs/finetune/policy.safetensors \\
          --output step.onnx --step-by-step
      """)

  @Option(
    help: "The policy: a checkpoint of pretrain, finetune or import.",
    completion: .file(extensions: ["safetensors"]))
  var checkpoint: String

  @Option(
    name: .shortAndLong, help: "The ONNX file to write.",
    completion: .file(extensions: ["onnx"]))
  var output: String

  @Flag(help: "Write one denoising step, from a noisy chunk to the noise in it.")
  var stepByStep = false

  @Flag(help: "Print errors only.")
  var quiet = false

  @Flag(help: "Report as JSON on standard output.")
  var json = false

  func validate() throws { try validateOutput(output, ending: ".onnx") }

  func run() throws {
    // Fails before the work, not after it.
    try AtomicFile.checkWritable(output)
    let checkpoint = try PolicyCheckpoint(path: checkpoint)
    let export = try PolicyExport(
      checkpoint, form: stepByStep ? .denoisingStep : .actions,
      name: URL(filePath: self.checkpoint).deletingPathExtension().lastPathComponent)
    try export.model.write(to: output)
    try report(export)
    RunLog(isQuiet: quiet).info(
      "wrote \(output.printable); docs/exporting.md tells how to run it")
  }

  private struct Port: Encodable {
    let name: String
    /// As in "float32".
    let type: String
    /// Null is the batch.
    let shape: [Int?]
    let description: String

    init(_ port: ONNXPort) {
      name = port.value.name
      type = port.value.element.rawValue
      shape = port.value.shape
      description = port.description
    }
  }

  private struct Report: Encodable {
    let inputs: [Port]
    let outputs: [Port]
    let denoisingSteps: Int
    let output: String
  }

  private func report(_ export: PolicyExport) throws {
    let graph = export.model.graph
    if json {
      print(
        try Report(
          inputs: graph.inputs.map(Port.init), outputs: graph.outputs.map(Port.init),
          denoisingSteps: export.denoisingSteps, output: output
        ).jsonLine)
      return
    }
    func rows(_ ports: [ONNXPort], _ kind: String) -> [[String]] {
      ports.map { port in
        [
          kind, port.value.name, port.value.element.rawValue, port.value.shapeText,
          port.description,
        ]
      }
    }
    print(alignedColumns(rows(graph.inputs, "input") + rows(graph.outputs, "output")))
  }
}
