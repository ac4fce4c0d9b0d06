import Tensors
import TestSupport
import Testing

@testable import Files

/// Files of the real world, where they are at hand.
struct SharedDataTests {
  @Test func demonstrationsOfPushT() throws {
    guard let path = Repository.sharedData("pusht/pusht_demos.npz") else { return }
    let file = try NPZFile(path: path)
    #expect(file.names == ["actions", "keypoints", "states", "traj_lengths"])
    let lengths = try file.integers(named: "traj_lengths")
    #expect(lengths.count == 206)
    #expect(lengths.reduce(0, +) == 25_650)
    let states = try file.tensor(named: "states")
    #expect(states.shape == [25_650, 5])
    #expect(states.elements.allSatisfy { $0.isFinite })
    #expect(try file.tensor(named: "actions").shape == [25_650, 2])
  }

  @Test(arguments: ["sac", "tqc"]) func behaviourPolicies(algorithm: String) throws {
    guard let path = Repository.sharedData("behaviour-policies/\(algorithm)-hopper.safetensors")
    else { return }
    let file = try SafetensorsFile(path: path)
    #expect(file.metadata["algorithm"] == algorithm)
    #expect(try file.tensor(named: "hidden0.weight").shape == [256, 11])
    for name in file.names {
      let elements = try file.tensor(named: name).elements
      #expect(elements.allSatisfy { $0.isFinite }, "\(name)")
    }
  }
}
