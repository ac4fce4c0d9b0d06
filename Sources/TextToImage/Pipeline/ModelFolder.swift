import Files
import Foundation
import NeuralNetworks
import Tensors

extension PromptedModel {
  /// Reads a model folder in the layout of diffusers: `model_index.json tokenizer/ text_encoder/
  /// unet/ scheduler/` and, unless the model works on pixels, `vae/`.
  ///
  /// - Throws: `FileError` naming the file and key if a part is missing, damaged or not supported.
  public convenience init(folder: String) throws {
    try Self.requireFolder(folder)
    let index = try ModelIndex(folder: folder, of: Network.self)
    var unset = UnsetWeights()
    let text = CLIPTextEncoder(
      try CLIPTextConfiguration(path: "\(folder)/text_encoder/config.json"), random: &unset)
    let unet = Network(
      try Network.Configuration(path: "\(folder)/unet/config.json"), random: &unset)
    let autoencoder = try index.autoencoderClass.map {
      try AutoencoderFolder.network("\(folder)/vae", className: $0)
    }
    // What does not fit is found before gigabytes of weights are read.
    try self.init(
      tokenizer: CLIPTokenizer(folder: "\(folder)/tokenizer"), textEncoder: text, unet: unet,
      autoencoder: autoencoder,
      scheduler: SchedulerConfiguration(
        path: "\(folder)/scheduler/scheduler_config.json", className: index.schedulerClass),
      folder: folder)
    try Self.textWeights(folder).load(into: text)
    try Self.unetWeights(folder).load(into: unet)
    if let autoencoder { try AutoencoderFolder.weights("\(folder)/vae").load(into: autoencoder) }
  }

  /// Tells a file, such as a checkpoint in one piece, from a model folder.
  private static func requireFolder(_ path: String) throws {
    try RequiredFolder.check(
      path, what: "a model folder", marker: "model_index.json",
      advice:
        "name a folder in the layout of diffusers, with a model_index.json; a checkpoint in one "
        + "file becomes one by StableDiffusionPipeline.from_single_file(FILE)"
        + ".save_pretrained(FOLDER) in Python")
  }

  /// The class of diffusers that a model folder names, whatever its network is.
  ///
  /// - Throws: `FileError` if it is no model folder.
  package static func pipelineClass(folder: String) throws -> String {
    try requireFolder(folder)
    var reader = try ModelIndex.reader(folder: folder)
    return try reader.string("_class_name") ?? "nothing"
  }

  private static func textWeights(_ folder: String) -> ComponentWeights {
    ComponentWeights(
      folder: "\(folder)/text_encoder", name: "model",
      modernName: ComponentWeights.modernTextName)
  }

  private static func unetWeights(_ folder: String) -> ComponentWeights {
    ComponentWeights(folder: "\(folder)/unet", name: "diffusion_pytorch_model")
  }

  /// Writes a model folder that diffusers reads. It appears under its name only when it is
  /// complete; a folder that was there is replaced.
  ///
  /// - Parameters:
  ///   - folder: where it goes; the folder above it must exist.
  ///   - elementType: of the weights; float16 takes half the space.
  ///   - maxShardByteCount: weights of a part that are more go into several files.
  /// - Throws: `FileError` if the system refuses.
  public func write(
    folder: String, elementType: ElementType = .float32,
    maxShardByteCount: Int = 10_000_000_000
  ) throws {
    try AtomicFolder.write(to: folder) { folder in
      var parts = ["tokenizer", "text_encoder", "unet", "scheduler"]
      if autoencoder != nil { parts.append("vae") }
      for part in parts { try AtomicFolder.create("\(folder)/\(part)") }
      try ModelIndex.json(for: self).write(to: "\(folder)/model_index.json")
      try tokenizer.write(folder: "\(folder)/tokenizer")
      try textEncoder.configuration.json.write(to: "\(folder)/text_encoder/config.json")
      try unet.configuration.json.write(to: "\(folder)/unet/config.json")
      try scheduler.json.write(to: "\(folder)/scheduler/scheduler_config.json")
      try Self.textWeights(folder).write(
        textEncoder, as: elementType, maxShardByteCount: maxShardByteCount)
      try Self.unetWeights(folder).write(
        unet, as: elementType, maxShardByteCount: maxShardByteCount)
      if let autoencoder {
        try autoencoder.json.write(to: "\(folder)/vae/config.json")
        try AutoencoderFolder.weights("\(folder)/vae").write(
          autoencoder, as: elementType, maxShardByteCount: maxShardByteCount)
      }
      try unet.writeOtherParts(
        folder: folder, elementType: elementType, maxShardByteCount: maxShardByteCount)
    }
  }
}

/// What `model_index.json` says.
private struct ModelIndex {
  /// The autoencoder's class; nil for a model that works on pixels.
  let autoencoderClass: String?
  /// The scheduler's class; nil if the file does not name one.
  let schedulerClass: String?

  init<Network: PromptedNetwork>(folder: String, of network: Network.Type) throws {
    var reader = try Self.reader(folder: folder)
    let name = try reader.string("_class_name") ?? "nothing"
    guard Network.pipelineClasses.contains(name) else {
      throw reader.error(
        "_class_name", "is \(name)",
        advice: "name \(Network.modelNoun), whose class is \(Network.pipelineClass)")
    }
    let classes = [
      ("tokenizer", ["CLIPTokenizer", "CLIPTokenizerFast"]),
      ("text_encoder", ["CLIPTextModel", "CLIPTextModelWithProjection"]),
      ("unet", [Network.Configuration.className]), ("vae", AutoencoderFolder.classNames),
    ]
    for (part, known) in classes {
      // A part that is missing, null or a pair of nulls is not there.
      guard case .array(let pair) = reader.value(part), pair.count == 2, pair[1] != .null else {
        if part == "vae" { continue }
        throw reader.error(part, "is missing", advice: "\(Network.modelNoun) needs it")
      }
      guard case .string(let name) = pair[1], known.contains(name) else {
        throw reader.error(
          part, "is \(pair[1].text)", advice: "Attune reads \(known.joined(separator: ", "))")
      }
    }
    if case .array(let pair) = reader.value("vae"), case .string(let name)? = pair.last {
      autoencoderClass = name
    } else {
      autoencoderClass = nil
    }
    if case .array(let pair) = reader.value("scheduler"), case .string(let name)? = pair.last {
      schedulerClass = name
    } else {
      schedulerClass = nil
    }
  }

  static func reader(folder: String) throws -> ConfigurationReader {
    let path = "\(folder)/model_index.json"
    return try ConfigurationReader(JSONValue(path: path), path: path)
  }

  static func json<Network>(for model: PromptedModel<Network>) -> JSONValue {
    let hasProjection = model.textEncoder.configuration.projectionSize != nil
    var members: [String: JSONValue] = [
      "_class_name": .string(Network.pipelineClass), "_diffusers_version": "0.30.0",
      "scheduler": ["diffusers", .string(model.scheduler.className)],
      "text_encoder": [
        "transformers", hasProjection ? "CLIPTextModelWithProjection" : "CLIPTextModel",
      ],
      "tokenizer": ["transformers", "CLIPTokenizer"],
      "unet": ["diffusers", .string(Network.Configuration.className)],
      "vae": model.autoencoder.map { ["diffusers", .string(type(of: $0).className)] } ?? [
        nil, nil,
      ],
    ]
    members.merge(Network.otherIndexMembers) { own, _ in own }
    return .object(members)
  }
}

/// A folder that appears under its name only when it is complete. A process that is killed may
/// leave `.attune-NAME-PID.partial` or `.attune-NAME-PID.old`, the folder that was to be replaced,
/// beside it.
package enum AtomicFolder {
  /// Fills a folder through `body`, which gets a temporary path beside the final one.
  package static func write(to path: String, _ body: (String) throws -> Void) throws {
    let manager = FileManager.default
    let url = URL(filePath: path)
    let beside = url.deletingLastPathComponent().path(percentEncoded: false)
    let name = "\(url.lastPathComponent)-\(ProcessInfo.processInfo.processIdentifier)"
    let temporary = "\(beside)/.attune-\(name).partial"
    try? manager.removeItem(atPath: temporary)
    do {
      try create(temporary)
      try body(temporary)
      guard manager.fileExists(atPath: path) else {
        return try manager.moveItem(atPath: temporary, toPath: path)
      }
      // The old one steps aside for a moment, and comes back if the new one cannot take its place.
      let old = "\(beside)/.attune-\(name).old"
      try manager.moveItem(atPath: path, toPath: old)
      do {
        try manager.moveItem(atPath: temporary, toPath: path)
      } catch {
        try manager.moveItem(atPath: old, toPath: path)
        throw error
      }
      try manager.removeItem(atPath: old)
    } catch let error as FileError {
      try? manager.removeItem(atPath: temporary)
      throw error
    } catch {
      try? manager.removeItem(atPath: temporary)
      throw FileError(
        .system, path: path, problem: "cannot be written: \(error.localizedDescription)")
    }
  }

  /// Makes one folder.
  package static func create(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: false)
    } catch {
      throw FileError(
        .system, path: path, problem: "cannot be made: \(error.localizedDescription)",
        advice: "does the folder above it exist?")
    }
  }
}

extension PromptedModel {
  /// Sixteen hexadecimal digits that depend on every weight, the configurations and the vocabulary:
  /// what is made for one model, such as a noise prior, can tell whether it meets another.
  ///
  /// Computed from the present weights at each call; changes neither with the element type of the
  /// files that float32 weights were read from, nor with their names.
  public var fingerprint: String {
    var hash = Hash()
    var configurations = [textEncoder.configuration.json, unet.configuration.json, scheduler.json]
    if let autoencoder { configurations.append(autoencoder.json) }
    for configuration in configurations { hash.add(configuration.text.utf8) }
    for (text, token) in tokenizer.vocabulary.identifiers.sorted(by: { $0.value < $1.value }) {
      hash.add(text.utf8)
      hash.add(UInt64(token))
    }
    hash.add(tokenizer.padding.utf8)
    for token in tokenizer.addedTokens where tokenizer.vocabulary.identifiers[token.text] == nil {
      hash.add(token.text.utf8)
      hash.add(UInt64(token.identifier))
    }
    for (name, parameter) in parameters.sorted(by: { $0.name < $1.name }) {
      hash.add(name.utf8)
      for size in parameter.value.shape { hash.add(UInt64(size)) }
      hash.add(parameter.value)
    }
    let digits = String(hash.value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// A hash that is the same on every machine and in every run; not meant against forgery.
private struct Hash {
  private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  private static func mixed(_ value: UInt64) -> UInt64 {
    let product = value &* 0x9E37_79B9_7F4A_7C15
    return product ^ (product >> 29)
  }

  mutating func add(_ word: UInt64) { value = Self.mixed(value ^ word) }

  mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { add(UInt64(byte)) }
    add(0xFF)
  }

  mutating func add(_ tensor: Tensor) {
    tensor.withUnsafeElements { elements in
      // Four lanes, so that one multiplication need not wait for the other.
      var lanes: SIMD4<UInt64> = [1, 2, 3, 4]
      let whole = elements.count / 8 * 8
      let bytes = UnsafeRawBufferPointer(elements)
      for offset in stride(from: 0, to: whole * 4, by: 32) {
        let next = bytes.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt64>.self)
        let product = (lanes ^ next) &* SIMD4(repeating: 0x9E37_79B9_7F4A_7C15)
        lanes = product ^ (product &>> SIMD4(repeating: 29))
      }
      for lane in 0..<4 { add(lanes[lane]) }
      for index in whole..<elements.count { add(UInt64(elements[index].bitPattern)) }
    }
  }
}
