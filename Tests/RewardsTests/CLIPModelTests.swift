import Files
import Foundation
import Media
import NeuralNetworks
import Programs
import Tensors
import TestSupport
import Testing
import TextToImage

@testable import Rewards

/// CLIP models and their preprocessing against transformers'.
@Suite struct CLIPModelTests {
  /// Draws weights as the script does: in the order of their names.
  private func drawWeights(_ module: any Module) {
    var random = TorchRandom(seed: 7)
    for (name, parameter) in module.parameters.sorted(by: { $0.name < $1.name }) {
      let shape = parameter.value.shape
      let values = random.normal(shape)
      if shape.count > 1 {
        let fanIn = shape.dropFirst().reduce(1, *)
        parameter.value = values * Float(1 / Double(fanIn).squareRoot())
      } else {
        parameter.value = values * 0.1 + (name.hasSuffix("weight") ? 1 : 0)
      }
    }
  }

  @Test func featuresAreThoseOfTransformers() throws {
    let cases = try JSONValue(path: "\(Goldens.folder)/clip.json").members["models"]?.members ?? [:]
    let goldens = try SafetensorsFile(path: "\(Goldens.folder)/clip.safetensors")
    #expect(cases.count >= 3)
    var maximum: Float = 0
    for (name, golden) in cases {
      let configuration = try CLIPConfiguration(
        json: try #require(golden.members["configuration"]), path: "config.json")
      #expect(
        try CLIPConfiguration(json: configuration.json, path: "config.json") == configuration,
        "\(name)")
      var random = RandomStream(seed: 1)
      let model = CLIPModel(configuration, random: &random)
      drawWeights(model)
      let size = configuration.vision.imageSize
      var inputs = TorchRandom(seed: 11)
      let pixels = inputs.normal([3, 3, size, size]).transposed([0, 2, 3, 1])
      let tokens = try #require(golden.members["tokens"]).values.map { $0.values.map(\.integer) }
      let images = model.imageFeatures(pixels).normalizedRows()
      let texts = model.textFeatures(tokens).normalizedRows()
      let logits = images.matmul(texts.transposed()) * model.logitScale.value.exp()
      for (part, result) in [("image", images), ("text", texts), ("logits", logits)] {
        let difference = maxDifference(result, try goldens.tensor(named: "\(name)/\(part)"))
        #expect(difference <= 1e-4, "\(name), \(part): \(difference)")
        maximum = max(maximum, difference)
      }
    }
    print("greatest difference of \(cases.count) CLIP models: \(maximum)")
  }

  @Test func imagesArePreparedAsByPillow() throws {
    let root = try JSONValue(path: "\(Goldens.folder)/clip.json")
    let processors = try #require(root.members["processors"]).members
    let goldens = try SafetensorsFile(path: "\(Goldens.folder)/clip.safetensors")
    let folder = try TemporaryFolder()
    var maximum: Float = 0
    for (name, settings) in processors {
      try settings.write(to: folder.file("preprocessor_config.json"))
      let processor = try CLIPImageProcessor(path: folder.file("preprocessor_config.json"))
      try processor.json.write(to: folder.file("written.json"))
      #expect(try CLIPImageProcessor(path: folder.file("written.json")) == processor, "\(name)")
      let std = Tensor(processor.standardDeviation)
      for index in 0..<4 {
        let stored = try goldens.storedTensor(named: "picture \(index)")
        let image = Image(
          width: stored.shape[1], height: stored.shape[0], channelCount: 3,
          samples: Tensor(stored).elements.map { UInt8($0) })
        let expected = try goldens.tensor(named: "picture \(index)/\(name)")
        // In units of samples, 0 to 1.
        let difference = maxDifference(processor(image) * std, expected * std)
        #expect(difference <= 2 / 255, "\(name), image \(index): \(difference * 255) / 255")
        maximum = max(maximum, difference)
      }
    }
    #expect(processors.count == 4)
    print("greatest difference of preprocessing: \(maximum * 255) / 255")
  }

  /// Scaled as a whole, it would be an image of 400 thousand million pixels.
  @Test func longStripsArePrepared() {
    let strip = Image(width: 1, height: 8_000_000, filledWith: Color(0x646464))
    var processor = CLIPImageProcessor(size: 224)
    processor.mean = [0, 0, 0]
    processor.standardDeviation = [1, 1, 1]
    let pixels = processor(strip)
    #expect(pixels.shape == [224, 224, 3])
    #expect(pixels.elements.allSatisfy { $0 == 100 * processor.scale })
  }

  /// What does not come out as the model sees it is refused when the model is read.
  @Test func processorsOfOtherSizesAreRefused() throws {
    let folder = try TemporaryFolder()
    try Self.tinyModel().write(folder: folder.file("model"))
    let path = folder.file("model/preprocessor_config.json")
    let sound = try JSONValue(path: path).members
    /// The key that is named; nil if nothing is refused.
    func refusal(_ changes: [String: JSONValue]) throws -> String? {
      try JSONValue.object(sound.merging(changes) { $1 }).write(to: path)
      do {
        _ = try ImageTextModel(folder: folder.file("model"))
        return nil
      } catch let error as FileError {
        return error.item
      }
    }
    func exact(_ edge: Double) -> JSONValue {
      .object(["width": .number(edge), "height": .number(edge)])
    }
    #expect(try refusal(["do_center_crop": false]) == "do_center_crop")
    #expect(
      try refusal(["do_center_crop": false, "do_resize": false]) == "do_center_crop")
    #expect(try refusal(["do_center_crop": false, "size": exact(16)]) == "size")
    #expect(try refusal(["crop_size": exact(16)]) == "crop_size")
    #expect(try refusal(["do_center_crop": false, "size": exact(32)]) == nil)
    #expect(try refusal(["do_resize": false]) == nil)
  }

  /// A small model of doll captions with random weights.
  static func tinyModel(seed: UInt64 = 3) -> ImageTextModel {
    let tokenizer = CLIPTokenizer(
      vocabulary: BytePairVocabulary(trainedOn: ["an elf in a blue robe", "a human"], size: 530),
      maximumLength: 40)
    var settings = CLIPTrainingConfiguration()
    settings.width = 16
    settings.headCount = 2
    settings.imageLayerCount = 1
    settings.textLayerCount = 1
    settings.maximumLength = 40
    settings.projectionSize = 12
    settings.patchSize = 8
    var random = RandomStream(seed: seed)
    let model = CLIPModel(settings.model(imageSize: 32, tokenizer: tokenizer), random: &random)
    return ImageTextModel(
      model: model, tokenizer: tokenizer, processor: CLIPImageProcessor(size: 32))
  }

  @Test func foldersComeBack() throws {
    let folder = try TemporaryFolder()
    let model = Self.tinyModel()
    try model.write(folder: folder.file("model"))
    let read = try ImageTextModel(folder: folder.file("model"))
    let (images, texts) = try Goldens.images(5)
    #expect(read.features(of: images).elements == model.features(of: images).elements)
    #expect(read.features(of: texts).elements == model.features(of: texts).elements)
    #expect(read.model.configuration == model.model.configuration)

    let names = try FileManager.default.contentsOfDirectory(atPath: folder.file("model"))
    for name in names.sorted() where name != "special_tokens_map.json" {
      if name == "tokenizer_config.json" { continue }  // optional, as is the map
      try FileManager.default.copyItem(
        atPath: folder.file("model"), toPath: folder.file("broken"))
      try FileManager.default.removeItem(atPath: folder.file("broken/\(name)"))
      let error = #expect(throws: FileError.self) {
        try ImageTextModel(folder: folder.file("broken"))
      }
      #expect(error?.description.contains(name) == true, "\(name): \(error?.description ?? "")")
      try FileManager.default.removeItem(atPath: folder.file("broken"))
    }
  }

  /// A text's features do not depend on the texts beside it.
  @Test func batchesDoNotMatter() throws {
    let model = Self.tinyModel()
    let (images, texts) = try Goldens.images(21)
    let together = model.features(of: texts)
    let features = model.features(of: images)
    for index in [0, 7, 20] {
      #expect(
        model.features(of: [texts[index]]).elements
          == together.slice(index..<index + 1).elements)
      #expect(
        model.features(of: [images[index]]).elements == features.slice(index..<index + 1).elements)
    }
  }

  @Test func transformersReadsWhatAttuneWrites() throws {
    guard let python = ProcessInfo.processInfo.environment["ATTUNE_PYTHON"] else {
      print("skipped: transformers' CLIPModel: ATTUNE_PYTHON does not name a Python interpreter")
      return
    }
    let folder = try TemporaryFolder()
    let model = Self.tinyModel()
    try model.write(folder: folder.file("model"))
    let (images, texts) = try Goldens.images(2)
    for (index, image) in images.enumerated() {
      try image.writePNG(to: folder.file("\(index).png"))
    }
    let program = """
      import sys, json, torch
      from PIL import Image
      from transformers import CLIPModel, CLIPTokenizer, CLIPImageProcessor
      folder, texts, paths = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:]
      model = CLIPModel.from_pretrained(folder).eval()
      tokens = CLIPTokenizer.from_pretrained(folder)(
          texts, padding=True, truncation=True, return_tensors="pt")
      pixels = CLIPImageProcessor.from_pretrained(folder)(
          [Image.open(p) for p in paths], return_tensors="pt")
      with torch.no_grad():
          out = model(**tokens, **pixels)
      print(json.dumps((out.image_embeds @ out.text_embeds.T).flatten().tolist()))
      """
    let output = folder.file("printed")
    let list = JSONValue.array(texts.map { .string($0) }).text
    let run = ProgramRun(
      words: [
        python, "-c", program, folder.file("model"), list, folder.file("0.png"),
        folder.file("1.png"),
      ], outputPath: output, errorsPath: folder.file("errors"), timeLimit: 200)
    let outcome = try run()
    let errors = try String(contentsOfFile: folder.file("errors"), encoding: .utf8)
    #expect(outcome == .status(0), "\(errors.suffix(2_000))")
    let printed = try JSONDecoder().decode(
      [Float].self, from: Data(contentsOf: URL(filePath: output)))
    let cosines = model.features(of: images).matmul(model.features(of: texts).transposed())
    #expect(maxDifference(cosines, Tensor(shape: [2, 2], elements: printed)) <= 1e-4)
  }

  @Test func unsupportedKeysAreRefusedByName() throws {
    let bad: [(String, JSONValue)] = [
      ("model_type", ["model_type": "siglip"]),
      ("num_channels", ["model_type": "clip", "vision_config": ["num_channels": 1]]),
      ("patch_size", ["model_type": "clip", "vision_config": ["patch_size": 300]]),
      ("num_attention_heads", ["model_type": "clip", "text_config": ["num_attention_heads": 7]]),
      ("text_config", ["model_type": "clip", "text_config": 3]),
    ]
    for (key, json) in bad {
      let error = #expect(throws: FileError.self, "\(key)") {
        try CLIPConfiguration(json: json, path: "config.json")
      }
      #expect(error?.description.contains(key) == true, "\(error?.description ?? "")")
    }
  }
}
