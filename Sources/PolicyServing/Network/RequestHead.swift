/// A request's first lines, in HTTP/1.1 (RFC 9112).
struct RequestHead {
  /// As it came, such as `GET`.
  let method: String
  /// Without the query.
  let path: String
  /// The query's `key=value` pairs, as they came.
  let query: [(key: String, value: String)]
  /// By lowercased name; values of repeated fields joined by commas.
  let fields: [String: String]
  private let isVersion10: Bool

  /// - Parameter bytes: the lines up to the empty one.
  /// - Throws: `RequestFailure` that says what was expected.
  init(_ bytes: [UInt8]) throws(RequestFailure) {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .malformed("the request's lines are not UTF-8")
    }
    // By scalars: a carriage return and a line feed are one character.
    var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.last == "\r" ? $0.dropLast() : $0 }
    lines.removeAll(where: \.isEmpty)
    guard lines.allSatisfy({ $0.allSatisfy { $0 == "\t" || $0.value >= 0x20 && $0.value != 0x7F } })
    else { throw .malformed("the request's lines have control characters") }
    let words = lines.prefix(1)
      .flatMap { $0.split(separator: " ", omittingEmptySubsequences: false) }.map(String.init)
    guard words.count == 3, Self.isToken(words[0]), words[1].hasPrefix("/"),
      words[2].hasPrefix("HTTP/1.")
    else { throw .malformed("no line of a request, expected one such as POST /act HTTP/1.1") }
    method = words[0]
    isVersion10 = words[2] == "HTTP/1.0"
    let target = words[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    path = String(target[0])
    query = (target.count > 1 ? target[1].split(separator: "&") : []).map { pair in
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
    }
    var fields: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":"), Self.isToken(String(line[..<colon])) else {
        throw .malformed("a line is no header field, expected Name: value")
      }
      let name = String(line[..<colon]).lowercased()
      let value = Self.trimmed(line[line.index(after: colon)...])
      fields[name] = fields[name].map { "\($0), \(value)" } ?? value
    }
    self.fields = fields
  }

  /// Whether the connection stays open after the answer.
  var keepsAlive: Bool {
    let options = (fields["connection"] ?? "").lowercased().split(separator: ",")
      .map { Self.trimmed($0.unicodeScalars[...]) }
    return isVersion10 ? options.contains("keep-alive") : !options.contains("close")
  }

  /// Whether the client waits to be told that the body is wanted.
  var expectsContinue: Bool { fields["expect"]?.lowercased() == "100-continue" }

  /// The bytes of the body.
  ///
  /// - Throws: `RequestFailure` if that cannot be told, or is too much.
  func bodySize(limit: Int) throws(RequestFailure) -> Int {
    guard fields["transfer-encoding"] == nil else {
      throw RequestFailure(411, "Transfer-Encoding, expected a body with its Content-Length")
    }
    guard let text = fields["content-length"] else { return 0 }
    // Repeated, it has to be the same.
    let values = Set(text.split(separator: ",").map { Self.trimmed($0.unicodeScalars[...]) })
    guard values.count == 1, let value = values.first, !value.isEmpty,
      value.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 })
    else { throw .malformed("Content-Length is no number, expected the bytes of the body") }
    guard let size = Int(value), size <= limit else {
      throw RequestFailure(413, "the body has \(value.prefix(20)) bytes, expected at most \(limit)")
    }
    return size
  }

  private static func trimmed(_ text: some BidirectionalCollection<Unicode.Scalar>) -> String {
    let isSpace: (Unicode.Scalar) -> Bool = { $0 == " " || $0 == "\t" }
    var scalars = String.UnicodeScalarView(text.drop(while: isSpace))
    while let last = scalars.last, isSpace(last) { scalars.removeLast() }
    return String(scalars)
  }

  /// What a method or a field's name consists of.
  private static func isToken(_ text: String) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { byte in
        byte > 0x20 && byte < 0x7F && !"\"(),/:;<=>?@[\\]{}".utf8.contains(byte)
      }
  }
}

extension RequestFailure {
  /// `{"error": "..."}`
  var json: String {
    let text = message.unicodeScalars.reduce(into: "") { text, scalar in
      switch scalar {
      case "\"", "\\": text += "\\\(scalar)"
      case _ where scalar.value < 0x20: text += " "
      default: text.unicodeScalars.append(scalar)
      }
    }
    return "{\"error\":\"\(text)\"}"
  }
}

/// An answer in HTTP/1.1: JSON of one line.
struct Response {
  var status: Int
  var json: String
  var fields: [(name: String, value: String)] = []

  init(_ json: String) {
    status = 200
    self.json = json
  }

  init(_ failure: RequestFailure) {
    status = failure.status
    json = failure.json
    if failure.status == 401 { fields.append(("WWW-Authenticate", "Bearer")) }
  }

  func bytes(keepsAlive: Bool) -> [UInt8] {
    let body = json + "\n"
    var text = "HTTP/1.1 \(status) \(Self.phrase(status))\r\n"
    for (name, value) in fields { text += "\(name): \(value)\r\n" }
    text += """
      Content-Type: application/json\r
      Content-Length: \(body.utf8.count)\r
      Cache-Control: no-store\r
      Connection: \(keepsAlive ? "keep-alive" : "close")\r
      \r

      """
    return Array((text + body).utf8)
  }

  private static func phrase(_ status: Int) -> String {
    switch status {
    case 200: "OK"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 409: "Conflict"
    case 411: "Length Required"
    case 413: "Content Too Large"
    case 431: "Request Header Fields Too Large"
    case 503: "Service Unavailable"
    default: "Internal Server Error"
    }
  }
}
