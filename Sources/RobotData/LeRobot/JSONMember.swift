import Files

/// A value inside a JSON file, with its place for errors.
struct JSONMember {
  let value: JSONValue
  let path: String
  /// As in `features.action.shape`; empty for the whole.
  let place: String

  init(_ value: JSONValue, path: String, place: String = "") {
    (self.value, self.path, self.place) = (value, path, place)
  }

  func error(_ expected: String) -> FileError {
    FileError(
      .malformed, path: path, item: place.isEmpty ? nil : place, problem: "is not \(expected)",
      advice: "check it against a data set that LeRobot wrote")
  }

  private func child(_ value: JSONValue, _ name: String) -> JSONMember {
    JSONMember(value, path: path, place: place.isEmpty ? name : "\(place).\(name)")
  }

  func members() throws(FileError) -> [(name: String, member: JSONMember)] {
    guard case .object(let members) = value else { throw error("an object") }
    return members.sorted { $0.key < $1.key }.map { ($0.key, child($0.value, $0.key)) }
  }

  /// Nil where there is none, or a null.
  func optionalMember(_ name: String) -> JSONMember? {
    guard case .object(let members) = value, let member = members[name], member != .null else {
      return nil
    }
    return child(member, name)
  }

  func member(_ name: String) throws(FileError) -> JSONMember {
    guard let member = optionalMember(name) else {
      throw FileError(
        .missing, path: path, item: place.isEmpty ? name : "\(place).\(name)",
        problem: "is missing", advice: "check the file against one that LeRobot wrote")
    }
    return member
  }

  func array() throws(FileError) -> [JSONMember] {
    guard case .array(let values) = value else { throw error("a list") }
    return values.enumerated().map { child($1, "\($0)") }
  }

  func string() throws(FileError) -> String {
    guard case .string(let text) = value else { throw error("a text") }
    return text
  }

  func number() throws(FileError) -> Double {
    guard case .number(let number) = value else { throw error("a number") }
    return number
  }

  /// A whole number that is not negative.
  func count() throws(FileError) -> Int {
    guard case .number(let number) = value, let count = Int(exactly: number), count >= 0 else {
      throw error("a whole number, not negative")
    }
    return count
  }
}
