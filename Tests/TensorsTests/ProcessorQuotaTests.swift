import CKernels
import Foundation
import Testing

@testable import Tensors

/// Quotas of control groups, from the texts of the files that tell them.
@Suite struct ProcessorQuotaTests {
  /// A machine: what is mounted, and the files there.
  struct Machine: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var groups: String
    var mounts: String
    var files: [String: String]
    var expected: Int?
  }

  private static let unified = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
  private static let separate =
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"

  static let machines = [
    Machine(
      testDescription: "no quota", groups: "0::/user.slice/a\n", mounts: unified,
      files: [
        "/sys/fs/cgroup/user.slice/a/cpu.max": "max 100000\n",
        "/sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
      ], expected: nil),
    Machine(
      testDescription: "a container that sees itself as the root", groups: "0::/\n",
      mounts: unified, files: ["/sys/fs/cgroup/cpu.max": "200000 100000\n"], expected: 2),
    Machine(
      testDescription: "a quota of 2.5 processors", groups: "0::/\n", mounts: unified,
      files: ["/sys/fs/cgroup/cpu.max": "250000 100000\n"], expected: 3),
    Machine(
      testDescription: "a fraction of one processor", groups: "0::/\n", mounts: unified,
      files: ["/sys/fs/cgroup/cpu.max": "10000 100000\n"], expected: 1),
    Machine(
      testDescription: "a period that is not the usual one", groups: "0::/\n", mounts: unified,
      files: ["/sys/fs/cgroup/cpu.max": "200000 50000\n"], expected: 4),
    Machine(
      testDescription: "the minimum of a group and those around it", groups: "0::/a/b/c\n",
      mounts: unified,
      files: [
        "/sys/fs/cgroup/a/b/c/cpu.max": "800000 100000\n",
        "/sys/fs/cgroup/a/b/cpu.max": "300000 100000\n",
        "/sys/fs/cgroup/a/cpu.max": "600000 100000\n",
      ], expected: 3),
    Machine(
      testDescription: "another group's quota", groups: "0::/a\n", mounts: unified,
      files: [
        "/sys/fs/cgroup/a/cpu.max": "max 100000\n", "/sys/fs/cgroup/ab/cpu.max": "100000 100000\n",
        "/sys/fs/cgroup/a/b/cpu.max": "100000 100000\n",
      ], expected: nil),
    Machine(
      testDescription: "version 1", groups: "4:cpu,cpuacct:/docker/x\n2:cpuset:/docker/y\n",
      mounts: separate,
      files: [
        "/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us": "150000\n",
        "/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
      ], expected: 2),
    Machine(
      testDescription: "version 1 without a quota", groups: "4:cpu,cpuacct:/\n", mounts: separate,
      files: [
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
      ], expected: nil),
    Machine(
      testDescription: "version 1, a container that is told its path on the host",
      groups: "4:cpu,cpuacct:/kubepods/pod1/ctr\n",
      mounts: "32 31 0:29 /kubepods/pod1/ctr /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n",
      files: [
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
      ], expected: 4),
    Machine(
      testDescription: "a group outside of what is mounted", groups: "0::/../other\n",
      mounts: unified, files: ["/sys/fs/cgroup/cpu.max": "500000 100000\n"], expected: 5),
    Machine(
      testDescription: "both versions side by side", groups: "1:cpu:/a\n0::/b\n",
      mounts: unified.replacingOccurrences(of: "/sys/fs/cgroup ", with: "/sys/fs/cgroup/unified ")
        + "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n",
      files: [
        "/sys/fs/cgroup/unified/b/cpu.max": "max 100000\n",
        "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "700000\n",
        "/sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
      ], expected: 7),
    Machine(
      testDescription: "a mount whose path has a space", groups: "0::/a\n",
      mounts: "31 23 0:28 / /my\\040groups rw - cgroup2 cgroup2 rw\n",
      files: ["/my groups/a/cpu.max": "200000 100000\n"], expected: 2),
    Machine(
      testDescription: "mounts that cannot be read", groups: "0::/a\n", mounts: "",
      files: ["/sys/fs/cgroup/a/cpu.max": "200000 100000\n"], expected: 2),
    Machine(
      testDescription: "texts that mean nothing", groups: "nonsense\n0::/a\n1:cpu:/a\n",
      mounts: unified + separate + "31 23 - cgroup2\n",
      files: [
        "/sys/fs/cgroup/a/cpu.max": "many 0\n", "/sys/fs/cgroup/cpu.max": "0 0\n",
        "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "100000\n",
      ], expected: nil),
  ]

  @Test(arguments: machines) func quotaLimitsThreads(_ machine: Machine) {
    let limit = ProcessorQuota.limit(groups: machine.groups, mounts: machine.mounts) {
      machine.files[$0]
    }
    #expect(limit == machine.expected)
  }

  /// A process that is kept off one of its processors has a thread less.
  @Test func affinityLimitsThreads() async {
    await #expect(processExitsWith: .success) {
      let before = attune_allowed_processor_count()
      attune_keep_off_this_processor(getpid())
      let allowed = Int(attune_allowed_processor_count())
      precondition(allowed == max(1, Int(before) - 1))
      precondition(
        WorkerPool.availableProcessorCount == min(allowed, ProcessorQuota.ofThisProcess ?? allowed))
      precondition(WorkerPool.shared.threadCount == WorkerPool.availableProcessorCount)
    }
  }
}
