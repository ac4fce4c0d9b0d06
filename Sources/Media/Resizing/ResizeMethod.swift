/// How `Image.resized` finds a new pixel from the old ones.
public enum ResizeMethod: String, CaseIterable, Sendable {
  /// The pixel under the middle of the new one: exact copies, hard edges.
  case nearest
  /// The mean of the area that the new pixel covers (Pillow's BOX).
  case area
  /// Keys' cubic with a = -0.5, widened when shrinking so that nothing aliases (Pillow's BICUBIC).
  case bicubic
}

extension ResizeMethod {
  /// How far the filter reaches on either side, in pixels of the smaller grid.
  var support: Double { self == .bicubic ? 2 : 0.5 }

  /// The filter's height at a distance from its middle.
  func weight(_ distance: Double) -> Double {
    switch self {
    case .nearest, .area:
      return distance > -0.5 && distance <= 0.5 ? 1 : 0
    case .bicubic:
      let (a, x) = (-0.5, abs(distance))
      if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
      if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
      return 0
    }
  }
}
