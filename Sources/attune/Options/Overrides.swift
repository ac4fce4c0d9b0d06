/// The override that sets a key to a text, whatever is in it.
func override(_ key: String, text: String) -> String { "\(key)=\(quotedYAML(text))" }

/// A text in quotes, as YAML reads it.
func quotedYAML(_ text: String) -> String {
  "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
}
