import Foundation

/// Runs a program and gives its status and everything that it wrote.
func run(
  _ path: String, _ arguments: [String], separatesErrors: Bool = false
) throws -> (status: Int32, output: String) {
  let process = Process()
  let output = Pipe()
  process.executableURL = URL(filePath: path)
  process.arguments = arguments
  process.standardOutput = output
  process.standardError = separatesErrors ? FileHandle.nullDevice : output
  try process.run()
  let data = output.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return (process.terminationStatus, String(decoding: data, as: UTF8.self))
}
