import Configuration
import Files
import Foundation
import Glibc
import Tensors

/// A run's folder, held by one process at a time:
/// `config.yaml run.json metrics.jsonl events.out.tfevents.* checkpoints/ images/ videos/`.
///
/// The system lets go of the folder when the process ends, however it ends.
public final class RunFolder: Sendable {
  /// The path as it was given, without a slash at its end.
  public let path: String
  /// The descriptor that holds the lock; nil where another process has it.
  private let lock: Int32?

  /// The resolved configuration.
  public var configurationPath: String { "\(path)/config.yaml" }
  /// The metrics, one JSON object a line.
  public var metricsPath: String { "\(path)/metrics.jsonl" }
  /// The folder of the checkpoints.
  public var checkpointsPath: String { "\(path)/checkpoints" }
  /// The folder of the images.
  public var imagesPath: String { "\(path)/images" }
  /// The folder of the videos.
  public var videosPath: String { "\(path)/videos" }

  /// Starts a run: makes the folder, the folders above it and those inside, and writes the
  /// configuration and what run it is.
  ///
  /// - Parameters:
  ///   - path: the folder.
  ///   - configuration: the resolved settings.
  ///   - command: the command without its flags, as in "policy finetune".
  /// - Throws: `RunFolderError` if the folder holds a run that has recorded something or another
  ///   process holds it; `FileError` if the system refuses.
  public static func create(
    at path: String, configuration: some RunConfiguration, command: String
  ) throws -> RunFolder {
    let folder = try RunFolder(path: path, isNew: true)
    // The configuration makes it a run, which is then whole.
    try RunRecord(command: command, computing: .init(configuration.precision))
      .write(in: folder.path)
    try configuration.write(to: folder.configurationPath)
    return folder
  }

  /// Opens a run to go on with it, and clears away what a killed process left half-written.
  ///
  /// - Throws: `RunFolderError` if it is not a run folder or another process holds it; `FileError`
  ///   if the system refuses.
  public static func resume(at path: String) throws -> RunFolder {
    guard isRun(at: path) else { throw RunFolderError.notARun(path: path) }
    return try RunFolder(path: path, isNew: false)
  }

  /// Looks into the folder of a run that another process, perhaps of another machine, has opened.
  ///
  /// - Throws: `RunFolderError.notShared` if it is not to be seen from here.
  static func join(at path: String) throws(RunFolderError) -> RunFolder {
    guard isRun(at: path) else { throw .notShared(path: path) }
    return RunFolder(joined: path)
  }

  private init(joined path: String) {
    self.path = path
    lock = nil
  }

  /// Whether a folder holds a run.
  public static func isRun(at path: String) -> Bool {
    access("\(path)/config.yaml", F_OK) == 0
  }

  /// Makes a folder for a run that was not given one, as in `runs/hopper-20261122-183000`; another
  /// run of the same second gets `runs/hopper-20261122-183000-2`.
  ///
  /// - Parameters:
  ///   - name: what the name begins with.
  ///   - now: seconds since 1970; the present if nil.
  /// - Returns: the path of the folder, which was not there before.
  /// - Throws: `FileError` if the system refuses.
  public static func makeDefault(named name: String, now: Int? = nil) throws(FileError) -> String {
    var seconds = now ?? time(nil)
    var parts = tm()
    localtime_r(&seconds, &parts)
    let numbers = [
      parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
      parts.tm_sec,
    ].map { $0 < 10 ? "0\($0)" : "\($0)" }
    let base = "runs/\(name)-\(numbers[0..<3].joined())-\(numbers[3...].joined())"
    try makeFolders("runs")
    var path = base
    var number = 1
    // Only one process can make a folder.
    while mkdir(path, 0o777) != 0 {
      guard errno == EEXIST else { throw .system(path: path, action: "made") }
      number += 1
      path = "\(base)-\(number)"
    }
    return path
  }

  private init(path: String, isNew: Bool) throws {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    self.path = path
    if path.isEmpty {
      throw FileError(
        .missing, path: "", problem: "a run folder needs a name", advice: "name one by --output")
    }
    if isNew { try Self.makeFolders(path) }
    let wasHeld = access(Self.lockPath(path), F_OK) == 0
    // The lock is taken before anything is looked at, so that two processes cannot both find it
    // new.
    lock = try Self.lock(path)
    let wasRun = Self.isRun(at: path)
    if isNew { try requireNothingToLose(wasRun: wasRun, wasHeld: wasHeld) }
    let inner = [checkpointsPath, imagesPath, videosPath]
    if !isNew, !FolderListing.names(in: path).contains("checkpoints") {
      throw RunFolderError.noCheckpoint(path: path)
    }
    for folder in inner { try Self.makeFolder(folder) }
    // What else lies in the folder, be it other runs, is not ours. Who was killed while writing the
    // configuration has left a lock, but no run.
    guard wasRun || wasHeld else { return }
    for folder in [path] + inner { Self.removePartialFiles(in: folder) }
  }

  deinit {
    // A child process that was started meanwhile has the descriptor too until its program begins;
    // closing ours alone would leave the folder locked for as long.
    guard let lock else { return }
    flock(lock, LOCK_UN)
    close(lock)
  }

  /// Refuses to start where something would be lost. A run that a wrong setting stopped before its
  /// first line of metrics has nothing to go on with, and other files that no run writes are left
  /// alone.
  private func requireNothingToLose(wasRun: Bool, wasHeld: Bool) throws(RunFolderError) {
    var status = stat()
    let hasMetrics = stat(metricsPath, &status) == 0 && status.st_size > 0
    if hasMetrics || !FolderListing.names(in: checkpointsPath).isEmpty {
      throw .alreadyARun(path: path)
    }
    let results = FolderListing.names(in: path).filter {
      $0 == "model" || $0.hasSuffix(".safetensors")
    }
    // Every run has been held.
    let foreign = (wasRun && !wasHeld ? ["config.yaml"] : []) + results
    guard let name = foreign.first else { return }
    if !wasHeld { unlink(Self.lockPath(path)) }
    throw .holdsOtherFiles(path: path, name: name)
  }

  private static func lockPath(_ path: String) -> String { "\(path)/.lock" }

  private static func lock(_ path: String) throws -> Int32 {
    let lockPath = lockPath(path)
    let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FileError.system(path: path, action: "written to") }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let isHeld = errno == EWOULDBLOCK
      let error = FileError.system(path: lockPath, action: "locked")
      let holder = isHeld ? (try? TextFile.read(path: lockPath)) : nil
      close(descriptor)
      guard isHeld else { throw error }
      throw RunFolderError.inUse(path: path, process: holder.flatMap { Int($0) })
    }
    let process = String(getpid())
    ftruncate(descriptor, 0)
    // Only for the message above; nothing depends on it.
    _ = process.withCString { pwrite(descriptor, $0, process.utf8.count, 0) }
    return descriptor
  }

  private static func makeFolders(_ path: String) throws(FileError) {
    var made = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      made += part
      try makeFolder(made)
      made += "/"
    }
  }

  private static func makeFolder(_ path: String) throws(FileError) {
    if mkdir(path, 0o777) == 0 { return }
    guard errno == EEXIST else { throw .system(path: path, action: "made") }
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw FileError(
        .system, path: path, problem: "is a file, where a folder is expected",
        advice: "choose another path")
    }
  }

  /// What atomic writes leave when a process is killed; nobody else writes here now.
  private static func removePartialFiles(in folder: String) {
    for name in FolderListing.names(in: folder) where name.hasPrefix(".attune-") {
      let leftover = "\(folder)/\(name)"
      // A folder that was to be replaced as a whole, such as a model, and has no successor.
      if let match = name.wholeMatch(of: #/\.attune-(.+)-\d+\.old/#),
        rename(leftover, "\(folder)/\(match.output.1)") == 0
      {
        continue
      }
      if name.hasSuffix(".partial") || name.hasSuffix(".old") {
        try? FileManager.default.removeItem(atPath: leftover)
      }
    }
  }
}

/// Why a folder cannot be used for a run.
public enum RunFolderError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A new run was to start where one is already.
  case alreadyARun(path: String)
  /// A new run was to start where a file is that it would replace.
  case holdsOtherFiles(path: String, name: String)
  /// A run was to be resumed where none is.
  case notARun(path: String)
  /// Another process is writing the run; its number, if known.
  case inUse(path: String, process: Int?)
  /// Of the processes that train together, one does not see the folder.
  case notShared(path: String)
  /// Processes that train together have come to different weights; the rank of one.
  case differentWeights(path: String, rank: Int)
  /// A run was to be resumed that has no checkpoint that can be read.
  case noCheckpoint(path: String)
  /// A run was to be resumed with settings that must stay as it was started with.
  case changedSettings(path: String, [SettingChange])
  /// A run's products were computed otherwise than they would be here.
  case changedArithmetic(path: String, precision: Precision, before: String)
  /// What a run reads is not what it was started with.
  case changedInput(path: String, RunInput, before: String)

  /// What is wrong and what to do, in one line.
  public var description: String {
    switch self {
    case .alreadyARun(let path):
      "\(path.printable): holds a run already; continue with it by --resume \(path.printable), or choose "
        + "another --output"
    case .holdsOtherFiles(let path, let name):
      "\(path.printable): holds \(name.printable), which a run here would replace; choose another "
        + "--output"
    case .notARun(let path):
      "\(path.printable): is not a run folder (it has no config.yaml); name the folder that an "
        + "earlier command made with --output"
    case .inUse(let path, let process):
      "\(path.printable): another process\(process.map { " (\($0))" } ?? "") is writing this run; wait "
        + "for it, stop it, or choose another folder"
    case .notShared(let path):
      "\(path.printable): is not to be seen from this machine; choose an --output on a file system "
        + "that all machines have, by the same path"
    case .differentWeights(let path, let rank):
      "\(path.printable): rank \(rank) has come to other weights than rank 0: a processor rounds "
        + "otherwise, or a bit has flipped; start again with --resume on machines of one kind"
    case .noCheckpoint(let path):
      "\(path.printable): has no checkpoint that can be read; start again with another --output"
    case .changedSettings(let path, let changes):
      "\(path.printable): cannot be resumed with "
        + changes.map {
          "'\($0.key.printable)': found \($0.to.printable), expected \($0.from.printable)"
        }
        .joined(separator: "; ")
        + ", as it was started with; start a run of its own with --output"
    case .changedArithmetic(let path, let precision, let before):
      "\(path.printable): computed precision \(precision.rawValue) by \(before), and here it is "
        + "\(precision.arithmetic); resume it where it was started, or accept other digits by "
        + "precision=\(precision.rawValue)"
    case .changedInput(let path, let input, let before):
      "\(input.path.printable): '\(input.key)' is not what \(path.printable) was started "
        + "with (content \(input.fingerprint), expected \(before)); put that back or name where it "
        + "is by \(input.key)=PATH, or start a run of its own with --output"
    }
  }
}

/// The names in a folder.
public enum FolderListing {
  /// All names but `.` and `..`, sorted; none if the folder cannot be read.
  public static func names(in path: String) -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}
