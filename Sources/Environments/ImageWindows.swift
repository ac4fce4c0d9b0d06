import Media

extension CameraImages {
  /// Windows of the images as those of a camera, one place for all images of a row; beyond an
  /// image's edges lie the pixels at its edge. Images that are seen whole are shared.
  ///
  /// - Parameters:
  ///   - camera: the size of the windows.
  ///   - places: `B` upper left corners; they may lie outside.
  public func windows(
    _ camera: Camera, at places: [(row: Int, column: Int)]
  ) -> CameraImages {
    precondition(places.count == count, "\(places.count) places for \(count) rows")
    return CameraImages(
      camera, stepCount: stepCount,
      frames: frames.enumerated().map { index, frame in
        frame.window(
          width: camera.width, height: camera.height, at: places[index / stepCount])
      })
  }
}

extension Image {
  /// A window whose upper left corner lies in a row and a column of this image, the edges repeated
  /// beyond them.
  fileprivate func window(width: Int, height: Int, at place: (row: Int, column: Int)) -> Image {
    if (width, height, place.row, place.column) == (self.width, self.height, 0, 0) { return self }
    let channels = channelCount
    let columns = (0..<width).map { min(max($0 + place.column, 0), self.width - 1) * channels }
    return Image(width: width, height: height, channelCount: channels) { target in
      samples.withUnsafeBufferPointer { source in
        for row in 0..<height {
          let first = min(max(row + place.row, 0), self.height - 1) * self.width * channels
          for (column, offset) in columns.enumerated() {
            for channel in 0..<channels {
              target[(row * width + column) * channels + channel] =
                source[first + offset + channel]
            }
          }
        }
      }
    }
  }
}
