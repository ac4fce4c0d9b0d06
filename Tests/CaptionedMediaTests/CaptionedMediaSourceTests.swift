import CaptionedMedia
import Files
import Foundation
import Media
import Tensors
import TestSupport
import Testing

@Suite struct CaptionedMediaSourceTests {
  private func image(_ index: Int, width: Int = 8, height: Int = 8) -> Image {
    Image(width: width, height: height, filledWith: Color(UInt32(index * 20 + 5) << 8))
  }

  /// Whether a batch has `image(_:)` of these numbers.
  private func expect(_ batch: CaptionedMedia, shows numbers: [Int], size: Int) {
    #expect(batch.images.shape == [numbers.count, size, size, 3])
    let images = Image.batch(batch.images, range: .minusOneToOne)
    #expect(images == numbers.map { image($0, width: size, height: size) })
    #expect(batch.captions == numbers.map { "image \($0)" })
  }

  @Test func dollsComeAsComposedFromAnyThread() throws {
    let composer = try DollComposer(folder: Goldens.dolls)
    let source = try DollSource(composer, seed: 7)
    #expect(source.count == nil)
    let indices = [5, 0, 1_000_000, 5]
    let batch = source.batch(at: indices)
    #expect(batch.images.shape == [4, 32, 32, 3])
    let images = Image.batch(batch.images, range: .minusOneToOne)
    for (place, index) in indices.enumerated() {
      let doll = composer.doll(seed: 7, index: index)
      #expect(images[place] == composer.image(of: doll))
      #expect(batch.captions[place] == composer.caption(of: doll, seed: 7, index: index))
    }
    WorkerPool.shared.forEach(16) { _ in
      let again = source.batch(at: indices)
      #expect(again.images.elements == batch.images.elements)
      #expect(again.captions == batch.captions)
    }
    let large = try DollSource(composer, seed: 7, width: 64, height: 64).batch(at: [0])
    let doubled = composer.image(of: source.doll(at: 0)).resized(
      width: 64, height: 64, method: .nearest)
    #expect(Image.batch(large.images, range: .minusOneToOne) == [doubled])
  }

  /// The dolls of a group differ in a few slots, and keep to what may go together.
  @Test(arguments: [PairSelection.training, .heldOut]) func dollsOfAGroupAreAlike(
    pairs: PairSelection
  ) throws {
    let composer = try DollComposer(folder: Goldens.dolls)
    var groups = DollGroups()
    groups.size = 4
    let source = try DollSource(composer, seed: 3, pairs: pairs, groups: groups)
    let catalog = composer.catalog
    var changes = 0
    for index in 0..<800 {
      let doll = source.doll(at: index)
      let first = source.doll(at: index - index % 4)
      if index % 4 == 0 { #expect(doll == composer.doll(seed: 3, index: index, pairs: pairs)) }
      changes += DollSlot.allCases.count { doll[$0] != first[$0] }
      #expect(doll[.base] != nil && doll[.body] != nil)
      let isHeldOut = catalog.heldOutPairs.contains {
        $0.body == doll[.body]?.phrase && $0.hand2 == doll[.hand2]?.phrase
      }
      #expect(isHeldOut == (pairs == .heldOut))
      for pair in catalog.forbiddenPairs {
        #expect(
          !doll.items.contains(catalog.items[pair.first])
            || !doll.items.contains(catalog.items[pair.second]))
      }
    }
    let mean = Double(changes) / 600
    #expect(mean > 0.5 && mean < 2.5, "\(mean) slots of 9 differ")
    let again = try DollSource(composer, seed: 3, pairs: pairs, groups: groups)
    #expect((0..<20).allSatisfy { again.doll(at: $0) == source.doll(at: $0) })
  }

  @Test func foldersGiveTheirImagesInThreeForms() throws {
    let folder = try TemporaryFolder()
    for index in 0..<4 {
      try image(index, width: index == 1 ? 16 : 8).writePNG(to: folder.file("\(index).png"))
      try folder.write("image \(index)\n", to: "\(index).txt")
    }
    func source(_ size: Int = 8, limit: Int = 1 << 30) throws -> ImageFolderSource {
      try ImageFolderSource(path: folder.path, width: size, height: size, memoryLimit: limit)
    }
    #expect(try source().count == 4)
    expect(try source().batch(at: [3, 1, 1]), shows: [3, 1, 1], size: 8)
    expect(try source(5).batch(at: [0, 1, 2]), shows: [0, 1, 2], size: 5)
    expect(try source(16, limit: 0).batch(at: [0, 1, 2]), shows: [0, 1, 2], size: 16)

    try folder.write("file\tcaption\n2.png\timage 2\n0.png\timage 0\n", to: "captions.tsv")
    expect(try source().batch(at: [0, 1]), shows: [2, 0], size: 8)
    // As a spreadsheet on Windows saves it, the last line without an end.
    try folder.write(
      "\u{FEFF}file\tcaption\r\n2.png\timage 2\r\n0.png\timage 0", to: "captions.tsv")
    expect(try source().batch(at: [0, 1]), shows: [2, 0], size: 8)

    try folder.write(
      "text,more,file_name\n\"image 1\",\"a \"\"b\"\",\nc\",1.png\n\nimage 3,,3.png",
      to: "metadata.csv")
    expect(try source().batch(at: [1, 0]), shows: [3, 1], size: 8)
    try folder.write(
      "\u{FEFF}file_name,text\r\n1.png,image 1\r\n3.png,\"image 3\"\r\n", to: "metadata.csv")
    expect(try source().batch(at: [1, 0]), shows: [3, 1], size: 8)

    try folder.write(
      "{\"file_name\": \"1.png\", \"text\": \"image 1\", \"more\": [1]}\n\n"
        + "{\"text\": \"image 3\", \"file_name\": \"3.png\"}\n", to: "metadata.jsonl")
    expect(try source().batch(at: [1, 0]), shows: [3, 1], size: 8)
    try folder.write(
      "\u{FEFF}{\"file_name\": \"1.png\", \"text\": \"image 1\"}\r\n"
        + "{\"text\": \"image 3\", \"file_name\": \"3.png\"}", to: "metadata.jsonl")
    expect(try source().batch(at: [1, 0]), shows: [3, 1], size: 8)
  }

  @Test func imagesKeepTheirProportions() throws {
    let folder = try TemporaryFolder()
    var wide = Image(width: 16, height: 8, filledWith: .black)
    wide.draw(Image(width: 8, height: 8, filledWith: .white), x: 4, y: 0)
    try wide.writePNG(to: folder.file("wide.png"))
    try folder.write("wide", to: "wide.txt")
    let source = try ImageFolderSource(path: folder.path, width: 8, height: 8)
    #expect(try source.batch(at: [0]).images.elements.allSatisfy { $0 == 1 })
  }

  /// Scaled as a whole, it would be an image of 30 thousand million pixels.
  @Test func longStripsAreFitted() throws {
    let folder = try TemporaryFolder()
    let count = 8_000_000
    let strip = StoredTensor(
      shape: [1, count, 1, 3], uint8s: [UInt8](repeating: 255, count: 3 * count))
    try NPZFile.write(["images": strip], to: folder.file("strip.npz"))
    try folder.write("a strip\n", to: "strip.txt")
    let source = try ImageArraySource(path: folder.file("strip.npz"), width: 64, height: 64)
    let images = source.batch(at: [0]).images
    #expect(images.shape == [1, 64, 64, 3])
    #expect(images.elements.allSatisfy { $0 == 1 })
  }

  @Test func brokenFoldersAreRefusedByFileAndRow() throws {
    let folder = try TemporaryFolder()
    func message() -> String {
      do {
        _ = try ImageFolderSource(path: folder.path, width: 8, height: 8)
      } catch {
        return "\(error)"
      }
      return "nothing was refused"
    }
    #expect(message().contains("has no captioned images"))
    try image(0).writePNG(to: folder.file("0.png"))
    #expect(message().contains("0.png: has no caption"))
    try folder.write("name\ttext\n", to: "captions.tsv")
    #expect(message().contains("captions.tsv: row 1: the header has no column 'file'"))
    try folder.write("file\tcaption\n0.png\ta\n9.png\tb\n", to: "captions.tsv")
    #expect(message().contains("captions.tsv: row 3: there is no file"))
    try folder.write("file_name,caption\n", to: "metadata.csv")
    #expect(message().contains("metadata.csv: row 1: the header has no column 'text'"))
    try folder.write("file_name,text\n0.png,a cat, black\n", to: "metadata.csv")
    #expect(message().contains("metadata.csv: row 2: has 3 values, expected 2"))
    try folder.write("file_name,text\n0.png,\"a\ncat\"\n9.png,b\n", to: "metadata.csv")
    #expect(message().contains("metadata.csv: row 4: there is no file"))
    try folder.write("file_name,text\n0.png,\"a\n", to: "metadata.csv")
    #expect(message().contains("metadata.csv: row 2: has a quote that is not closed"))
    try folder.write("{\"file_name\": \"0.png\"}", to: "metadata.jsonl")
    #expect(message().contains("metadata.jsonl: row 1: has no texts file_name and text"))
    try folder.write("\n{\"file_name\"", to: "metadata.jsonl")
    #expect(message().contains("metadata.jsonl: row 2: is not a JSON object"))
    try folder.write("{\"file_name\": \"0.png\", \"text\": \"\"}", to: "metadata.jsonl")
    try folder.write("no image", to: "0.png")
    #expect(message().contains("0.png is not a PNG"))
  }

  @Test func arraysGiveTheirImages() throws {
    let folder = try TemporaryFolder()
    let images = (0..<3).map { image($0) }
    let stored = StoredTensor(shape: [3, 8, 8, 3], uint8s: images.flatMap(\.samples))
    let texts: [UInt8] = (0..<3).flatMap { Array("image \($0)\0\0".utf8) }
    let path = folder.file("images.npz")
    try NPZFile.write(
      ["images": stored, "captions": StoredTensor(shape: [3, 9], uint8s: texts)], to: path)
    #expect(try ImageArraySource(path: path).count == 3)
    expect(try ImageArraySource(path: path).batch(at: [2, 0]), shows: [2, 0], size: 8)
    expect(
      try ImageArraySource(path: path, width: 4, height: 4).batch(at: [1]), shows: [1], size: 4)

    // Lines beside the file win.
    try folder.write("one\ntwo\n\n", to: "images.txt")
    #expect(try ImageArraySource(path: path).batch(at: [2, 1]).captions == ["", "two"])
    try folder.write("one\n", to: "images.txt")
    #expect(throws: CaptionedDataError.self) { try ImageArraySource(path: path) }

    // Texts as NumPy keeps them, which leave the images readable.
    let numPy = folder.file("numpy.npz")
    try FileManager.default.copyItem(
      atPath: Repository.golden("CaptionedMedia/numpy_captions.npz"), toPath: numPy)
    #expect { try ImageArraySource(path: numPy) } throws: { "\($0)".contains("numpy.txt") }
    try folder.write("\u{FEFF}one\r\n\r\nthree", to: "numpy.txt")
    #expect(
      try ImageArraySource(path: numPy).batch(at: [2, 1, 0]).captions == ["three", "", "one"])

    let bare = folder.file("bare.npz")
    try NPZFile.write(["images": stored], to: bare)
    #expect { try ImageArraySource(path: bare) } throws: { "\($0)".contains("bare.txt") }
    let wrong = folder.file("wrong.npz")
    try NPZFile.write(
      [
        "images": StoredTensor(
          shape: [3, 8, 8], uint8s: texts + Array(repeating: 0, count: 192 - texts.count))
      ], to: wrong)
    #expect { try ImageArraySource(path: wrong) } throws: { "\($0)".contains("[3, 8, 8]") }
  }

  @Test func epochsHaveEveryPairOnce() throws {
    var order = PairOrder(count: 10, batchSize: 4, seed: 1)
    let numbers = (0..<5).flatMap { _ in order.next() }
    #expect(numbers.count == 20)
    #expect(Set(numbers[..<10]).count == 10 && Set(numbers[10...]).count == 10)
    #expect(numbers[..<10] != numbers[10...])
    #expect(order.nextBatch == 5)

    var again = PairOrder(count: 10, batchSize: 4, seed: 1)
    again.nextBatch = 2
    #expect(again.next() == Array(numbers[8..<12]))
    let copy = try JSONDecoder().decode(PairOrder.self, from: JSONEncoder().encode(again))
    var decoded = copy
    #expect(decoded.next() == Array(numbers[12..<16]))

    var endless = PairOrder(count: nil, batchSize: 3, seed: 1)
    endless.nextBatch = 2
    #expect(endless.next() == [6, 7, 8])
  }
}
