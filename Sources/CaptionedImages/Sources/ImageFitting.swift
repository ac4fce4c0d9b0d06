import Media

extension Image {
  /// The picture as RGB of another size: scaled until it covers it, and cut around the middle.
  ///
  /// Pictures that grow by a whole factor keep hard edges, as sprites should.
  func fitted(width: Int, height: Int, background: Color) -> Image {
    if self.width == width && self.height == height { return rgb(over: background) }
    let scale = max(Double(width) / Double(self.width), Double(height) / Double(self.height))
    let newWidth = max(width, Int((Double(self.width) * scale).rounded()))
    let newHeight = max(height, Int((Double(self.height) * scale).rounded()))
    let isWhole = newWidth % self.width == 0 && newHeight % self.height == 0
    // Only what is kept is scaled: of a long strip the whole would not fit into memory.
    let left = (newWidth - width) / 2
    let top = (newHeight - height) / 2
    let scaled = resized(
      width: newWidth, height: newHeight, method: isWhole ? .nearest : .bicubic,
      columns: left..<left + width, rows: top..<top + height)
    var result = Image(width: width, height: height, filledWith: background)
    result.draw(scaled, x: 0, y: 0)
    return result
  }
}
