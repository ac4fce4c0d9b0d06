import Foundation
import Testing

@testable import Files

struct PyTorchFileTests {
  @Test(arguments: ["checkpoint2.pt", "checkpoint3.pt", "checkpoint4.pt", "checkpoint5.pt"])
  func valuesAreRead(name: String) throws {
    let root = try PyTorchFile(path: Goldens.path(name)).root
    guard case .integer(200)? = root["epoch"], case .number(0.25)? = root["numpy_number"],
      case .integer(-5)? = root["numpy_integer"], case .boolean(true)? = root["numpy_boolean"],
      case .text("torch.float32")? = root["dtype"], case .text("cpu")? = root["device"],
      case .bytes(let bytes)? = root["bytes"], case .list(let nested)? = root["nested"],
      case .list(let size)? = root["size"]
    else {
      Issue.record("the values are not as they were saved")
      return
    }
    #expect(bytes.integers == [0, 255])
    #expect(size.map(\.summary) == ["4", "6"])
    #expect(nested.count == 3)
    guard case .list(let tuple) = nested[1] else {
      Issue.record("a tuple is a list")
      return
    }
    #expect(tuple.map(\.summary) == ["2.5", "None", "True", "False", "'täxt'"])
    guard case .list(let deep)? = nested[2]["deep"], case .list(let numbers)? = deep.first else {
      Issue.record("lists nest")
      return
    }
    #expect(
      numbers.map(\.summary) == ["-1", "1099511627776", "-1099511627776", "300", "-2147483648"])
    #expect(root["model"]?["0.weight"] != nil)
    #expect(root["nowhere"] == nil)
    #expect(root.leaves?.contains { $0.name == "3" } == true)
  }

  @Test func tensorsOfOneStorageShareIt() throws {
    let file = try PyTorchFile(path: Goldens.path("checkpoint2.pt"))
    let starts = try ["whole", "whole"].map { name in
      try file.storedTensor(named: name).withUnsafeBytes { $0.baseAddress }
    }
    #expect(starts[0] == starts[1])
  }

  @Test func commandsAreNamedAndNotRun() throws {
    let error = #expect(throws: FileError.self) {
      try PyTorchFile(path: Goldens.path("command.pt"))
    }
    #expect(error?.item == "posix.system")
    #expect(error?.kind == .unsupported)
    #expect(!FileManager.default.fileExists(atPath: "attune-was-here"))
  }

  @Test func whatIsNotACheckpointSaysWhatToDo() throws {
    let cases = [
      ("legacy.pt", "torch.save(torch.load(path), path)"),
      ("module.pt", "state_dict"), ("script.pt", "state_dict"),
    ]
    for (name, advice) in cases {
      let error = #expect(throws: FileError.self) { try PyTorchFile(path: Goldens.path(name)) }
      #expect(error?.kind == .unsupported, "\(name)")
      #expect(error?.description.contains(advice) == true, "\(String(describing: error))")
    }
    let module = #expect(throws: FileError.self) {
      try PyTorchFile(path: Goldens.path("module.pt"))
    }
    #expect(module?.item == "torch.nn.modules.container.Sequential")
  }
}
