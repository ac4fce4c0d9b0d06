import Files
import Foundation
import Glibc
import Media
import Programs

/// An external program that scores images or clips: `PROGRAM ARGS FOLDER PROMPTS`.
///
/// `FOLDER` has the images as `00000.png`, `00001.png` and so on, or each clip as a folder of its
/// frames, `00000/00.png`, `00000/01.png` and so on; `PROMPTS` is a JSON file with a
/// list of as many texts. The program prints a JSON list of as many numbers on standard output;
/// `null` and `NaN` stand for images that it cannot score. It runs in a process group of its own,
/// without a shell; the group is killed when the program ends or its time is over. Folder and file
/// are removed afterwards.
public struct CommandReward: Reward {
  /// The program and its arguments.
  public let words: [String]
  /// The seconds that it may take for one list of images.
  public let timeLimit: Double

  /// A reward that is started anew for each list of images.
  public init(_ words: [String], timeLimit: Double = 600) {
    precondition(!words.isEmpty && timeLimit > 0, "a program needs a name and time")
    self.words = words
    self.timeLimit = timeLimit
  }

  /// `command:'PROGRAM ARGS'`.
  static let kind = RewardKind(
    name: "command", argument: .program, needsPrompts: { _ in true },
    make: { CommandReward($0.words, timeLimit: $0.timeLimit) })

  /// `command:'PROGRAM ARGS'`
  public var name: String { "command:'\(words.joined(separator: " "))'" }

  /// What the program prints; NaN for `null`.
  public func scores(_ media: [Media], prompts: [String]) throws -> [Float] {
    precondition(
      media.count == prompts.count, "\(media.count) images or clips for \(prompts.count) prompts")
    if media.isEmpty { return [] }
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let imagesPath = "\(folder)/images"
    try FileManager.default.createDirectory(
      atPath: imagesPath, withIntermediateDirectories: false)
    for (index, media) in media.enumerated() {
      try write(media, to: "\(imagesPath)/\(Self.padded(index, digits: 5))")
    }
    try JSONValue.array(prompts.map { .string($0) }).write(to: "\(folder)/prompts.json")
    let run = ProgramRun(
      words: words + [imagesPath, "\(folder)/prompts.json"], outputPath: "\(folder)/output.json",
      errorsPath: "\(folder)/errors", timeLimit: timeLimit)
    try check(run)
    return try numbers(in: run, count: media.count)
  }

  /// An image as a file, a clip as a folder of its frames.
  private func write(_ media: Media, to path: String) throws {
    guard case .clip(let clip) = media else {
      return try media.frames[0].writePNG(to: "\(path).png")
    }
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    let digits = max(2, String(clip.frames.count - 1).count)
    for (index, frame) in clip.frames.enumerated() {
      try frame.writePNG(to: "\(path)/\(Self.padded(index, digits: digits)).png")
    }
  }

  /// Names sort as numbers do.
  private static func padded(_ number: Int, digits: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }

  private func temporaryFolder() throws(RewardError) -> String {
    let parent = FileManager.default.temporaryDirectory.path
    // mkdtemp puts a name of its own in place of the X.
    var template = Array("\(parent)/attune-reward-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw error(
        .launch, "has no room for its images in \(parent): \(String(cString: strerror(errno)))")
    }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Runs the program and throws unless all went well.
  private func check(_ run: ProgramRun) throws(RewardError) {
    let outcome: ProgramRun.Outcome
    do throws(ProgramError) {
      outcome = try run()
    } catch {
      throw self.error(
        .launch, error.problem,
        advice: "is '\(words[0])' the name of a program?")
    }
    let said = lastLine(of: run.errorsPath).map { "; it said: \($0)" } ?? ""
    switch outcome {
    case .status(0): return
    case .status(let status):
      throw error(.status(status), "ended with status \(status)\(said)")
    case .signal(let signal):
      let name = strsignal(signal).map { String(cString: $0) } ?? "unknown"
      throw error(.signal(signal), "was ended by signal \(signal) (\(name))\(said)")
    case .timedOut:
      throw error(
        .timeOut, "did not end within \(timeLimit) s and was killed\(said)",
        advice: "allow it more time, or score fewer images at once")
    case .tooMuchOutput:
      throw error(.output, "wrote more than \(run.byteLimit >> 20) MiB and was killed")
    }
  }

  private func numbers(in run: ProgramRun, count: Int) throws(RewardError) -> [Float] {
    func refusal(_ found: String) -> RewardError {
      let said = lastLine(of: run.errorsPath).map { "; it said: \($0)" } ?? ""
      return error(.output, "printed \(found), expected a JSON list of \(count) numbers\(said)")
    }
    let value: JSONValue
    do throws(FileError) {
      value = try JSONValue(path: run.outputPath)
    } catch {
      let start = beginning(of: run.outputPath)
      throw refusal(start.isEmpty ? "nothing" : "'\(start)'")
    }
    guard case .array(let values) = value else {
      throw refusal("'\(beginning(of: run.outputPath))'")
    }
    guard values.count == count else { throw refusal("a list of \(values.count)") }
    var numbers: [Float] = []
    for (index, value) in values.enumerated() {
      switch value {
      case .number(let number): numbers.append(Float(number))
      case .null: numbers.append(.nan)
      default:
        let text = value.text.split(separator: "\n").joined().prefix(40)
        throw refusal("'\(text)' for image \(index + 1)")
      }
    }
    return numbers
  }

  private func error(
    _ kind: RewardError.Kind, _ problem: String, advice: String? = nil
  ) -> RewardError {
    RewardError(kind, reward: name, problem: problem, advice: advice)
  }

  /// The first words of a file.
  private func beginning(of path: String) -> String {
    guard let file = FileHandle(forReadingAtPath: path) else { return "" }
    let text = String(decoding: (try? file.read(upToCount: 200)) ?? Data(), as: UTF8.self)
    let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return words.count > 60 ? words.prefix(60) + "..." : words
  }

  /// The last line that is not blank; nil if there is none.
  private func lastLine(of path: String) -> String? {
    guard let file = FileHandle(forReadingAtPath: path),
      let size = try? file.seekToEnd()
    else { return nil }
    try? file.seek(toOffset: size > 4_096 ? size - 4_096 : 0)
    let text = String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
    let line = text.split(whereSeparator: \.isNewline).last { !$0.allSatisfy(\.isWhitespace) }
    return line.map { $0.count > 200 ? "..." + $0.suffix(200) : String($0) }
  }
}

/// Cuts a command into words as a shell does, without a shell: spaces part, quotes and backslashes
/// keep together, nothing is expanded.
enum CommandWords {
  static func split(_ text: String) throws(RewardError) -> [String] {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var isEscaped = false
    for character in text {
      if isEscaped {
        word = (word ?? "") + String(character)
        isEscaped = false
      } else if character == "\\", quote != "'" {
        isEscaped = true
      } else if let open = quote {
        if character == open { quote = nil } else { word = (word ?? "") + String(character) }
      } else if character == "'" || character == "\"" {
        quote = character
        word = word ?? ""
      } else if character.isWhitespace {
        if let finished = word { words.append(finished) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    if let finished = word { words.append(finished) }
    guard quote == nil, !isEscaped, let program = words.first, !program.isEmpty,
      !words.contains(where: { $0.contains("\0") })
    else {
      throw RewardError(
        .expression, reward: "command:'\(text)'", problem: "is not a program and its arguments",
        advice: "are all quotes closed?")
    }
    return words
  }
}
