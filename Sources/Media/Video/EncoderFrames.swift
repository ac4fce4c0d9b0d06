import CFFmpeg

/// Writes images into the frames that an encoder takes.
protocol EncoderFrames: AnyObject {
  var pixelFormat: AVPixelFormat { get }
  /// The size of the frames, which may be larger than the images.
  var width: Int { get }
  var height: Int { get }
  /// Describes the colors to the encoder.
  func tag(_ context: UnsafeMutablePointer<AVCodecContext>)
  func write(_ image: Image, into frame: UnsafeMutablePointer<AVFrame>) throws(FFmpegError)
}

/// YUV 4:2:0 of even size, from RGB images; odd ones get their last column or row twice.
final class YUVFrames: EncoderFrames {
  let pixelFormat = AV_PIX_FMT_YUV420P
  let width: Int
  let height: Int
  private let colors: VideoColors
  private let scaler: OpaquePointer
  /// An image with its last column and row repeated, where the size is odd.
  private var paddedSamples: [UInt8] = []

  /// - Parameters:
  ///   - width: of the images.
  ///   - height: of the images.
  init(width: Int, height: Int) throws(FFmpegError) {
    self.width = width + width % 2
    self.height = height + height % 2
    colors = VideoColors(height: height)
    let (width, height) = (Int32(self.width), Int32(self.height))
    // Without these flags chroma is taken from every other pixel only, and rounding drifts.
    let flags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP
    scaler = try FFmpegError.check(
      sws_getContext(
        width, height, AV_PIX_FMT_RGB24, width, height, AV_PIX_FMT_YUV420P, flags, nil, nil, nil),
      "preparing the color conversion")
    let table = sws_getCoefficients(colors.scalerTable)
    let one: Int32 = 1 << 16
    sws_setColorspaceDetails(scaler, table, 1, table, 0, 0, one, one)
  }

  deinit { sws_freeContext(scaler) }

  func tag(_ context: UnsafeMutablePointer<AVCodecContext>) { colors.tag(context) }

  func write(_ image: Image, into frame: UnsafeMutablePointer<AVFrame>) throws(FFmpegError) {
    let result: Int32
    if width == image.width && height == image.height {
      result = scale(image.samples, into: frame)
    } else {
      pad(image)
      result = scale(paddedSamples, into: frame)
    }
    try FFmpegError.check(result, "converting colors")
  }

  private func scale(_ samples: [UInt8], into frame: UnsafeMutablePointer<AVFrame>) -> Int32 {
    samples.withUnsafeBufferPointer { samples in
      let data = frame.pointee.data
      let strides = frame.pointee.linesize
      return sws_scale(
        scaler, [samples.baseAddress], [Int32(width * 3)], 0, Int32(height),
        [data.0, data.1, data.2], [strides.0, strides.1, strides.2])
    }
  }

  private func pad(_ image: Image) {
    paddedSamples.removeAll(keepingCapacity: true)
    let rowSize = image.width * 3
    for row in 0..<height {
      let start = min(row, image.height - 1) * rowSize
      paddedSamples.append(contentsOf: image.samples[start..<start + rowSize])
      if width > image.width {
        paddedSamples.append(contentsOf: image.samples[start + rowSize - 3..<start + rowSize])
      }
    }
  }
}

/// The samples as they are: RGB or RGBA.
final class ExactFrames: EncoderFrames {
  let pixelFormat: AVPixelFormat
  let width: Int
  let height: Int
  private let channelCount: Int

  /// - Parameter hasAlpha: whether images are RGBA, else RGB.
  init(width: Int, height: Int, hasAlpha: Bool) {
    pixelFormat = hasAlpha ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24
    channelCount = hasAlpha ? 4 : 3
    self.width = width
    self.height = height
  }

  func tag(_ context: UnsafeMutablePointer<AVCodecContext>) {}

  func write(_ image: Image, into frame: UnsafeMutablePointer<AVFrame>) throws(FFmpegError) {
    let target = try FFmpegError.check(frame.pointee.data.0, "setting up a frame")
    let stride = Int(frame.pointee.linesize.0)
    let rowSize = width * channelCount
    image.samples.withUnsafeBufferPointer { samples in
      guard let source = samples.baseAddress else { return }
      for row in 0..<height {
        (target + row * stride).update(from: source + row * rowSize, count: rowSize)
      }
    }
  }
}

/// Indices into one palette, from RGB images.
final class PaletteFrames: EncoderFrames {
  let pixelFormat = AV_PIX_FMT_PAL8
  let width: Int
  let height: Int
  private var palette: ClipPalette

  init(width: Int, height: Int, palette: ClipPalette) {
    self.width = width
    self.height = height
    self.palette = palette
  }

  func tag(_ context: UnsafeMutablePointer<AVCodecContext>) {}

  func write(_ image: Image, into frame: UnsafeMutablePointer<AVFrame>) throws(FFmpegError) {
    let target = try FFmpegError.check(frame.pointee.data.0, "setting up a frame")
    let colors = try FFmpegError.check(frame.pointee.data.1, "setting up a frame")
    // An entry that no pixel has stays transparent: with it the encoder leaves out what does not
    // change from frame to frame.
    colors.withMemoryRebound(to: UInt32.self, capacity: 256) { entries in
      for index in 0..<256 {
        guard index < palette.colors.count else {
          entries[index] = 0
          continue
        }
        let color = palette.colors[index]
        entries[index] =
          0xFF00_0000 | UInt32(color.red) << 16 | UInt32(color.green) << 8 | UInt32(color.blue)
      }
    }
    palette.index(image, into: target, stride: Int(frame.pointee.linesize.0))
  }
}
