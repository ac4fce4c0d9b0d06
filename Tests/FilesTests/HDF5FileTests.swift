import Testing

@testable import Files

struct HDF5FileTests {
  @Test(arguments: ["earliest.h5", "newest.h5"])
  func attributesAreRead(name: String) throws {
    let file = try HDF5File(path: Goldens.path(name))
    let root = file.attributes(of: "/")
    #expect(root["title"]?.text == "demonstrations")
    #expect(root["fixed"]?.text == "fixed text")
    #expect(root["texts"]?.description == "[a, bc]")
    #expect(root["count"]?.integer == -3)
    #expect(root["rates"]?.description == "[0.5, 0.25]")
    #expect(root["flag"]?.integer == 1)
    #expect(root["nothing"]?.description == "float32")
    #expect(root["long"]?.description == "int64 [100]")
    #expect(root.count == 8)
    #expect(file.attributes(of: "data/demo_0")["num_samples"]?.integer == 30)
    #expect(file.attributes(of: "/data/demo_0/obs/chunked")["unit"]?.text == "m")
  }

  @Test(arguments: ["earliest.h5", "newest.h5"])
  func linksAreNamedButNotFollowedInCircles(name: String) throws {
    let file = try HDF5File(path: Goldens.path(name))
    #expect(file.groups == ["", "data", "data/demo_0", "data/demo_0/obs", "many"])
    #expect(
      file.links == [
        "loop": "another name of a group", "data/loop": "another name of a group",
        "soft_loop": "soft link to /soft_loop", "dangling": "soft link to /nowhere",
        "outside": "link to another file, not followed",
      ])
  }

  @Test(arguments: ["earliest.h5", "newest.h5"])
  func rowsAreRead(name: String) throws {
    let file = try HDF5File(path: Goldens.path(name))
    let expected = try #require(try Goldens.expected(name)["data/demo_0/obs/chunked"])
    for rows in [0..<30, 0..<1, 5..<16, 29..<30, 10..<10] {
      let stored = try file.storedTensor(named: "/data/demo_0/obs/chunked", rows: rows)
      #expect(stored.shape == [rows.count, 4])
      #expect(stored.doubles == Array(expected.values[(rows.lowerBound * 4)..<(rows.upperBound * 4)]))
    }
    #expect(throws: FileError.self) { try file.storedTensor(named: "plain", rows: 5..<7) }
    #expect(throws: FileError.self) { try file.storedTensor(named: "scalar", rows: 0..<1) }
  }

  @Test(arguments: ["earliest.h5", "newest.h5"])
  func whatCannotBeReadSaysWhy(name: String) throws {
    let file = try HDF5File(path: Goldens.path(name))
    let reasons = [
      "texts": "string", "variable_texts": "string", "compound": "compound",
      "unsigned": "uint32", "nothing": "no elements", "lzf": "filter 32000",
      "scaled": "filter 6", "external": "another file", "virtual": "other files",
    ]
    for (dataset, reason) in reasons {
      let error = #expect(throws: FileError.self) { try file.storedTensor(named: dataset) }
      #expect(error?.kind == .unsupported, "\(dataset)")
      #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }
    let missing = #expect(throws: FileError.self) { try file.storedTensor(named: "plane") }
    #expect(missing?.kind == .missing)
  }

  /// More children than processors, from several threads at once.
  @Test func filesAreReadSideBySide() async throws {
    let path = Goldens.path("earliest.h5")
    let expected = try #require(try Goldens.expected("earliest.h5")["plain"])
    try await withThrowingTaskGroup(of: [Double].self) { group in
      for _ in 0..<8 {
        group.addTask { try HDF5File(path: path).storedTensor(named: "plain").doubles }
      }
      for try await values in group { #expect(values == expected.values) }
    }
  }

  @Test func aChildThatTakesTooLongIsStopped() {
    let limits = HDF5Limits(processorSeconds: 1e-5, memoryByteCount: 1 << 30)
    let error = #expect(throws: FileError.self) {
      try HDF5File(path: Goldens.path("earliest.h5"), limits: limits)
    }
    #expect(error?.problem.contains("too long") == true)
  }

  @Test func aChildWithoutMemoryIsAnError() {
    let limits = HDF5Limits(processorSeconds: 10, memoryByteCount: 0)
    #expect(throws: FileError.self) {
      try HDF5File(path: Goldens.path("earliest.h5"), limits: limits)
    }
  }
}
