import Files
import Foundation
import SwiftProtobuf

/// A graph with what is to be known of it, as a file that runtimes of ONNX read.
public struct ONNXModel: Sendable {
  /// The version of ONNX's operators that graphs are made of.
  public static let operatorSet = 17
  /// The version of the file's layout: that of ONNX 1.12, which came with the operator set.
  public static let layoutVersion = 8

  /// What is computed.
  public var graph: ONNXGraph
  /// The graph's name.
  public var name: String
  /// A line about the whole.
  public var summary: String
  /// Texts by name (`metadata_props`), sorted in the file.
  public var metadata: [String: String]

  /// A model of these parts.
  public init(
    _ graph: ONNXGraph, name: String, summary: String, metadata: [String: String] = [:]
  ) {
    self.graph = graph
    self.name = name
    self.summary = summary
    self.metadata = metadata
  }

  /// Writes a file.
  ///
  /// - Throws: `FileError` if the system refuses, or the model is beyond 2 GB, which is the limit of
  ///   the format.
  public func write(to path: String) throws(FileError) {
    let bytes: [UInt8]
    do {
      bytes = try message.serializedBytes()
    } catch {
      throw FileError(
        .tooLarge, path: path, problem: "cannot hold the model: \(error)",
        advice: "an ONNX file has 2 GB at most: use a smaller network")
    }
    try AtomicFile.write(bytes, to: path)
  }

  private var message: ONNXModelProto {
    .with {
      $0.irVersion = Int64(Self.layoutVersion)
      $0.opsetImport = [.with { $0.version = Int64(Self.operatorSet) }]
      $0.producerName = "attune"
      $0.docString = summary
      $0.metadataProps = metadata.sorted { $0.key < $1.key }.map { key, value in
        .with { ($0.key, $0.value) = (key, value) }
      }
      $0.graph = .with {
        $0.name = name
        $0.node = graph.nodes.map(\.message)
        $0.initializer = graph.constants.map(\.message)
        $0.input = graph.inputs.map { $0.value.message(description: $0.description) }
        $0.output = graph.outputs.map { $0.value.message(description: $0.description) }
      }
    }
  }
}

extension ONNXValue {
  fileprivate func message(description: String = "") -> ONNXValueInfoProto {
    .with {
      $0.name = name
      $0.docString = description
      $0.type.tensorType.elemType = Int32(element.dataType.rawValue)
      $0.type.tensorType.shape.dim = shape.map { size in
        .with { if let size { $0.dimValue = Int64(size) } else { $0.dimParam = "B" } }
      }
    }
  }
}

extension ONNXValue.Element {
  fileprivate var dataType: ONNXTensorProto.DataType {
    switch self {
    case .float: .float
    case .int: .int64
    case .bool: .bool
    }
  }
}

extension ONNXNode {
  fileprivate var message: ONNXNodeProto {
    .with {
      $0.name = output
      $0.opType = operation
      $0.input = inputs
      $0.output = [output]
      $0.attribute = attributes.sorted { $0.key < $1.key }.map { name, attribute in
        .with {
          $0.name = name
          attribute.fill(&$0)
        }
      }
    }
  }
}

extension ONNXNode.Attribute {
  fileprivate func fill(_ message: inout ONNXAttributeProto) {
    switch self {
    case .int(let number): (message.type, message.i) = (.int, Int64(number))
    case .ints(let numbers): (message.type, message.ints) = (.ints, numbers.map(Int64.init))
    case .float(let number): (message.type, message.f) = (.float, number)
    case .branch(let branch):
      message.type = .graph
      message.g = .with {
        $0.name = branch.output.name
        $0.node = branch.nodes.map(\.message)
        $0.output = [branch.output.message()]
      }
    }
  }
}

extension ONNXConstant {
  fileprivate var message: ONNXTensorProto {
    .with {
      $0.name = name
      $0.dims = shape.map(Int64.init)
      switch elements {
      case .floats(let floats):
        $0.dataType = Int32(ONNXTensorProto.DataType.float.rawValue)
        $0.rawData = floats.withUnsafeBytes { Data($0) }
      case .ints(let ints):
        $0.dataType = Int32(ONNXTensorProto.DataType.int64.rawValue)
        $0.rawData = ints.withUnsafeBytes { Data($0) }
      }
    }
  }
}
