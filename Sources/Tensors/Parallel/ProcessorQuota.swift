import Glibc

/// How many processors' time the control groups of a process grant it: a container's limit.
///
/// Docker's `--cpus 2` and Kubernetes' `limits.cpu` leave all processors in sight, and stop all
/// threads of the process for the rest of a period of usually 100 ms once they have used up what
/// the group has in it.
enum ProcessorQuota {
  /// The quota of this process, rounded up to whole processors; nil without one.
  static var ofThisProcess: Int? {
    guard let groups = text(ofFile: "/proc/self/cgroup") else { return nil }
    return limit(
      groups: groups, mounts: text(ofFile: "/proc/self/mountinfo") ?? "", read: text(ofFile:))
  }

  /// The minimum quota of a process' groups and all that they lie in, in processors, rounded up.
  ///
  /// - Parameters:
  ///   - groups: `/proc/self/cgroup`: lines `number:controllers:path`.
  ///   - mounts: `/proc/self/mountinfo`, which tells where groups are to be seen.
  ///   - read: gives the text of a file, nil if there is none.
  /// - Returns: at least 1; nil without a quota.
  static func limit(groups: String, mounts: String, read: (String) -> String?) -> Int? {
    var quotas: [Double] = []
    for line in groups.split(whereSeparator: \.isNewline) {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let isUnified = fields[1].isEmpty
      guard isUnified || fields[1].split(separator: ",").contains("cpu") else { continue }
      for folder in folders(ofGroup: String(fields[2]), isUnified: isUnified, mounts: mounts) {
        let quota = isUnified ? unifiedQuota(folder, read) : separateQuota(folder, read)
        if let quota { quotas.append(quota) }
      }
    }
    // Within what an integer holds, whatever the texts say.
    return quotas.min().map { Int(max(1, min($0, 1_048_576)).rounded(.up)) }
  }

  /// Version 2: `cpu.max` is "max 100000" or "quota period", in microseconds.
  private static func unifiedQuota(_ folder: String, _ read: (String) -> String?) -> Double? {
    guard let words = read("\(folder)/cpu.max")?.split(whereSeparator: \.isWhitespace),
      let quota = words.first.flatMap({ Double($0) })
    else { return nil }
    return processors(quota, words.count > 1 ? Double(words[1]) : 100_000)
  }

  /// Version 1: a file for each number, -1 for no quota.
  private static func separateQuota(_ folder: String, _ read: (String) -> String?) -> Double? {
    func number(_ name: String) -> Double? {
      read("\(folder)/\(name)")?.split(whereSeparator: \.isWhitespace).first
        .flatMap { Double($0) }
    }
    guard let quota = number("cpu.cfs_quota_us") else { return nil }
    return processors(quota, number("cpu.cfs_period_us"))
  }

  private static func processors(_ quota: Double, _ period: Double?) -> Double? {
    guard let period, quota > 0, period > 0, (quota / period).isFinite else { return nil }
    return quota / period
  }

  /// The folders of a group and of those around it, as far as this process sees them.
  private static func folders(
    ofGroup path: String, isUnified: Bool, mounts: String
  ) -> [String] {
    var found = mounts.split(whereSeparator: \.isNewline).compactMap {
      GroupMount(line: $0, isUnified: isUnified)
    }
    if found.isEmpty {
      found = [GroupMount(root: "/", folder: "/sys/fs/cgroup" + (isUnified ? "" : "/cpu"))]
    }
    return found.flatMap { $0.folders(ofGroup: path) }
  }

  private static func text(ofFile path: String) -> String? {
    guard let file = fopen(path, "re") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = fread(&part, 1, part.count, file)
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes += part[..<count]
    }
  }
}

/// A place where control groups are to be seen.
private struct GroupMount {
  /// The group that is seen there.
  var root: String
  /// The place.
  var folder: String

  init(root: String, folder: String) {
    self.root = root
    self.folder = folder
  }

  /// A line of `/proc/self/mountinfo`, if it is the mount of a hierarchy that can have quotas:
  /// "31 23 0:28 root folder options - type source super-options".
  init?(line: Substring, isUnified: Bool) {
    let fields = line.split(separator: " ")
    guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count >= dash + 4 else {
      return nil
    }
    let hasQuotas =
      isUnified
      ? fields[dash + 1] == "cgroup2"
      : fields[dash + 1] == "cgroup" && fields[dash + 3].split(separator: ",").contains("cpu")
    guard hasQuotas else { return nil }
    self.init(root: Self.unescaped(fields[3]), folder: Self.unescaped(fields[4]))
  }

  /// The folders of a group and of those around it. Of a group that lies elsewhere, as in a
  /// container that sees its own group alone but is told its path on the host, that of the root.
  func folders(ofGroup path: String) -> [String] {
    let base = root == "/" ? "" : root
    guard path == base || path.hasPrefix(base + "/") else { return [folder] }
    let names = path.dropFirst(base.count).split(separator: "/")
    guard !names.contains("..") else { return [folder] }
    return (0...names.count).map { count in
      ([folder] + names.prefix(count).map(String.init)).joined(separator: "/")
    }
  }

  /// The system writes spaces and backslashes of a path as a backslash and three octal digits.
  private static func unescaped(_ path: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array(path.utf8)[...]
    while let byte = rest.popFirst() {
      let digits = String(decoding: rest.prefix(3), as: UTF8.self)
      if byte == UInt8(ascii: "\\"), digits.utf8.count == 3, let code = UInt8(digits, radix: 8) {
        bytes.append(code)
        rest = rest.dropFirst(3)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
