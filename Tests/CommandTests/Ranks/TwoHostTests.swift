import Foundation
import TestSupport
import Testing

/// Two machines: network namespaces with names of their own, joined by a cable of their own.
@Suite(
  .serialized,
  .enabled(
    if: TwoHosts.canBeMade, "needs mpirun, and root and iproute2 to make network namespaces"))
struct TwoHostTests {
  @Test func twoHostsTrainAsOne() throws {
    let training = TinyTraining.all[1]
    let folder = try training.makeFolder()
    let alone = try Attune.run(training.start("alone"), in: folder)
    #expect(alone.status == 0, "\(alone.output)")
    let hosts = try TwoHosts(in: folder)
    let outcome = try hosts.run([try Attune.path] + training.start("hosts"))
    #expect(outcome.status == 0, "\(outcome.output)")
    #expect(
      try training.result(folder.file("hosts")) == training.result(folder.file("alone")))
  }

  /// What one machine lacks is said with its name.
  @Test func theHostThatFailsIsNamed() throws {
    let training = TinyTraining.all[1]
    let folder = try training.makeFolder()
    let hosts = try TwoHosts(in: folder)
    let words = [try Attune.path] + training.start("hosts")
    let script = "[ $(hostname) = \(hosts.names[0]) ] || cd /; exec \"$0\" \"$@\""
    let outcome = try hosts.run(["/bin/sh", "-c", script] + words)
    #expect(outcome.status == 1)
    #expect(
      outcome.standardError.contains("attune: rank 1 on \(hosts.names[1]): "),
      "\(outcome.output)")
  }
}

/// Two network namespaces, and how `mpirun` starts programs in them.
private struct TwoHosts: ~Copyable {
  let names: [String]
  private let folder: TemporaryFolder
  private static let addresses = ["10.77.0.1", "10.77.0.2"]

  /// Tries it.
  static let canBeMade: Bool = {
    guard Attune.hasRanks, getuid() == 0 else { return false }
    let name = "attune-probe-\(getpid())"
    let probe = """
      ip netns add \(name) || exit 1
      trap 'ip netns del \(name)' EXIT
      ip link add name va netns \(name) type veth peer name vb netns \(name) &&
      ip netns exec \(name) ip addr add 10.77.1.1/24 dev va &&
      ip netns exec \(name) unshare -u hostname x
      """
    return (try? RunningProgram("/bin/sh", ["-c", probe]).finish().status) == 0
  }()

  init(in folder: TemporaryFolder) throws {
    self.folder = folder
    names = ["attune-\(getpid())-a", "attune-\(getpid())-b"]
    let (a, b) = (names[0], names[1])
    try Self.shell(
      """
      set -e
      ip netns add \(a); ip netns add \(b)
      ip link add name va netns \(a) type veth peer name vb netns \(b)
      ip netns exec \(a) ip addr add \(Self.addresses[0])/24 dev va
      ip netns exec \(b) ip addr add \(Self.addresses[1])/24 dev vb
      for host in \(a) \(b); do ip netns exec $host ip link set lo up; done
      ip netns exec \(a) ip link set va up; ip netns exec \(b) ip link set vb up
      """)
    try folder.write(
      """
      #!/bin/sh
      # In place of ssh: HOST COMMAND...
      host=$1; shift
      case $host in \(Self.addresses[1])) host=\(b);; *) host=\(a);; esac
      exec ip netns exec $host unshare -u sh -c "hostname $host; $*"
      """, to: "agent")
    try Self.shell("chmod +x '\(folder.file("agent"))'")
  }

  deinit {
    for name in names {
      _ = try? RunningProgram("/bin/sh", ["-c", "ip netns del \(name)"]).finish()
    }
  }

  private static func shell(_ script: String) throws {
    let outcome = try RunningProgram("/bin/sh", ["-c", script]).finish()
    #expect(outcome.status == 0, "\(outcome.output)")
  }

  /// Runs a command as a rank on each.
  func run(_ words: [String]) throws -> ProgramOutcome {
    let network = "\(Self.addresses[0])/24"
    let launcher = [
      "mpirun", "--allow-run-as-root", "--bind-to", "none", "--host",
      Self.addresses.map { "\($0):1" }.joined(separator: ","), "--mca", "plm_rsh_agent",
      folder.file("agent"), "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", network,
      "--mca", "oob_tcp_if_include", network, "-n", "2",
    ]
    return try RunningProgram(
      "/bin/sh",
      [
        "-c",
        "exec ip netns exec \(names[0]) unshare -u sh -c 'hostname \(names[0]); \"$@\"' \"$0\" \"$@\"",
      ] + ["sh"] + launcher + words, in: folder
    ).finish()
  }
}
