import CFFmpeg
import Glibc

extension Image {
  /// Decodes a JPEG, grey or YCbCr, nearly as libjpeg does and with it Pillow: FFmpeg decodes the planes,
  /// whose rounding differs a little, and chroma is interpolated as there. Samples differ by 3 of 255 at
  /// most.
  ///
  /// - Parameters:
  ///   - bytes: the whole file.
  ///   - name: stands for it in errors.
  /// - Throws: `ImageFileError`.
  public init(jpegBytes bytes: [UInt8], name: String = "JPEG data") throws(ImageFileError) {
    guard bytes.starts(with: [0xFF, 0xD8, 0xFF]) else {
      let start = bytes.prefix(4).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
      throw .notJPEG(
        file: name,
        found: bytes.isEmpty
          ? "it is empty" : "it begins with bytes \(start.joined(separator: " "))")
    }
    let planes: JPEGPlanes
    do throws(FFmpegError) {
      planes = try JPEGPlanes(bytes)
    } catch {
      guard error.code != FFmpegError.unsupported else {
        throw .notJPEG(file: name, found: error.step)
      }
      throw .damaged(file: name, reason: "\(error.step) failed: \(error.description)")
    }
    self = planes.image
  }
}

/// The samples of a JPEG before its colors are put together.
private struct JPEGPlanes {
  private let width: Int
  private let height: Int
  /// One of a grey image, else Y, Cb and Cr, in rows without gaps.
  private var planes: [Plane] = []

  private struct Plane {
    let width: Int
    let height: Int
    let samples: [UInt8]
  }

  /// How many columns and rows of pixels share a sample of chroma.
  private let chromaStep: (columns: Int, rows: Int)

  init(_ bytes: [UInt8]) throws(FFmpegError) {
    _ = FFmpegError.silenceLog
    var frame = av_frame_alloc()
    defer { av_frame_free(&frame) }
    let decoded = try FFmpegError.check(frame, "decoding")
    try Self.decode(bytes, to: decoded)
    (width, height) = (Int(decoded.pointee.width), Int(decoded.pointee.height))
    switch AVPixelFormat(rawValue: decoded.pointee.format) {
    case AV_PIX_FMT_GRAY8: chromaStep = (0, 0)
    case AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUV444P: chromaStep = (1, 1)
    case AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUV422P: chromaStep = (2, 1)
    case AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV420P: chromaStep = (2, 2)
    default:
      throw FFmpegError(
        code: FFmpegError.unsupported, step: "its colors are neither grey nor plain YCbCr")
    }
    let starts = [decoded.pointee.data.0, decoded.pointee.data.1, decoded.pointee.data.2]
    let strides = [
      decoded.pointee.linesize.0, decoded.pointee.linesize.1, decoded.pointee.linesize.2,
    ]
    for index in 0..<(chromaStep.columns == 0 ? 1 : 3) {
      let step = index == 0 ? (columns: 1, rows: 1) : chromaStep
      let (columns, rows) = (
        (width + step.columns - 1) / step.columns, (height + step.rows - 1) / step.rows
      )
      let start = try FFmpegError.check(starts[index], "decoding")
      var samples: [UInt8] = []
      samples.reserveCapacity(columns * rows)
      for row in 0..<rows {
        samples += UnsafeBufferPointer(start: start + row * Int(strides[index]), count: columns)
      }
      planes.append(Plane(width: columns, height: rows, samples: samples))
    }
  }

  private static func decode(
    _ bytes: [UInt8], to frame: UnsafeMutablePointer<AVFrame>
  ) throws(FFmpegError) {
    let codec = try FFmpegError.check(
      avcodec_find_decoder(AV_CODEC_ID_MJPEG), "opening the decoder")
    var context = avcodec_alloc_context3(codec)
    defer { avcodec_free_context(&context) }
    var packet = av_packet_alloc()
    defer { av_packet_free(&packet) }
    let opened = try FFmpegError.check(context, "opening the decoder")
    let filled = try FFmpegError.check(packet, "reading")
    opened.pointee.max_pixels = Int64(Image.pixelCountLimit)
    opened.pointee.err_recognition = AV_EF_CRCCHECK | AV_EF_EXPLODE
    opened.pointee.thread_count = 1
    // The nearest to libjpeg's.
    opened.pointee.idct_algo = FF_IDCT_INT
    try FFmpegError.check(avcodec_open2(opened, codec, nil), "opening the decoder")
    guard let count = Int32(exactly: bytes.count) else {
      throw FFmpegError(code: -ENOMEM, step: "reading")
    }
    try FFmpegError.check(av_new_packet(filled, count), "reading")
    bytes.withUnsafeBufferPointer { source in
      if let start = source.baseAddress {
        filled.pointee.data.update(from: start, count: source.count)
      }
    }
    try FFmpegError.check(avcodec_send_packet(opened, filled), "decoding")
    try FFmpegError.check(avcodec_receive_frame(opened, frame), "decoding")
    let guessed = FF_DECODE_ERROR_INVALID_BITSTREAM | FF_DECODE_ERROR_CONCEALMENT_ACTIVE
    guard frame.pointee.flags & AV_FRAME_FLAG_CORRUPT == 0,
      frame.pointee.decode_error_flags & guessed == 0
    else { throw FFmpegError(code: FFmpegError.invalidData, step: "decoding") }
  }

  /// Grey, or RGB.
  var image: Image {
    guard planes.count == 3 else {
      return Image(width: width, height: height, channelCount: 1, samples: planes[0].samples)
    }
    let (blue, red) = (upsampled(planes[1]), upsampled(planes[2]))
    let light = planes[0].samples
    return Image(width: width, height: height, channelCount: 3) { target in
      for index in 0..<width * height {
        let (y, cb, cr) = (Int(light[index]), Int(blue[index]) - 128, Int(red[index]) - 128)
        // Fractions of 65536, rounded as libjpeg's tables are.
        target[3 * index] = Self.clamped(y + (91_881 * cr + 32_768) >> 16)
        target[3 * index + 1] = Self.clamped(y + (-22_554 * cb - 46_802 * cr + 32_768) >> 16)
        target[3 * index + 2] = Self.clamped(y + (116_130 * cb + 32_768) >> 16)
      }
    }
  }

  private static func clamped(_ value: Int) -> UInt8 { UInt8(min(max(value, 0), 255)) }

  /// A plane of chroma in the size of the image: three quarters of the nearer sample and a quarter of
  /// the farther one in each direction, as libjpeg's "fancy" upsampling has it.
  private func upsampled(_ plane: Plane) -> [UInt8] {
    guard chromaStep.columns == 2 else { return plane.samples }
    // Too narrow to be interpolated, there as here.
    guard plane.width > 2 else {
      return (0..<width * height).map { index in
        plane.samples[index / width / chromaStep.rows * plane.width + index % width / 2]
      }
    }
    var result = [UInt8](repeating: 0, count: width * height)
    for row in 0..<height {
      // Of a column: once the sample, or three times the nearer and once the farther row.
      let sums: [Int]
      if chromaStep.rows == 1 {
        sums = (0..<plane.width).map { Int(plane.samples[row * plane.width + $0]) }
      } else {
        let near = row / 2
        let far = min(max(row % 2 == 0 ? near - 1 : near + 1, 0), plane.height - 1)
        sums = (0..<plane.width).map { column in
          3 * Int(plane.samples[near * plane.width + column])
            + Int(plane.samples[far * plane.width + column])
        }
      }
      for column in 0..<width {
        let value = Self.between(sums, column, isOfRows: chromaStep.rows == 2)
        result[row * width + column] = UInt8(value)
      }
    }
    return result
  }

  /// A row of chroma at a column of pixels.
  private static func between(_ sums: [Int], _ column: Int, isOfRows: Bool) -> Int {
    let near = column / 2
    let isLeft = column % 2 == 0
    let far = isLeft ? near - 1 : near + 1
    let hasFar = sums.indices.contains(far)
    if isOfRows {
      return (3 * sums[near] + (hasFar ? sums[far] : sums[near]) + (isLeft ? 8 : 7)) >> 4
    }
    guard hasFar else { return sums[near] }
    return (3 * sums[near] + sums[far] + (isLeft ? 1 : 2)) >> 2
  }
}
