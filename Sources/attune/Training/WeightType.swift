import Files

/// The numbers in a model folder's files.
enum WeightType: String, Codable, CaseIterable {
  case float16, float32

  var elementType: ElementType { self == .float16 ? .float16 : .float32 }
}
