import CFFmpeg

/// How a video's colors are coded, and tagged so that players know.
///
/// Players that ignore the tags guess by the height; following their rule keeps colors right there
/// too: BT.601 below 720 rows, BT.709 from there.
struct VideoColors {
  let matrix: AVColorSpace
  let scalerTable: Int32

  private init(matrix: AVColorSpace, scalerTable: Int32) {
    self.matrix = matrix
    self.scalerTable = scalerTable
  }

  init(height: Int) {
    matrix = height < 720 ? AVCOL_SPC_SMPTE170M : AVCOL_SPC_BT709
    scalerTable = height < 720 ? SWS_CS_ITU601 : SWS_CS_ITU709
  }

  /// The coding of a decoded frame: as tagged, by the height where it is not; nil if swscale cannot
  /// convert it.
  init?(tagged matrix: AVColorSpace, height: Int) {
    switch matrix {
    case AVCOL_SPC_UNSPECIFIED, AVCOL_SPC_RGB:
      self.init(height: height)
    case AVCOL_SPC_BT709, AVCOL_SPC_FCC, AVCOL_SPC_BT470BG, AVCOL_SPC_SMPTE170M,
      AVCOL_SPC_SMPTE240M, AVCOL_SPC_BT2020_NCL:
      // swscale's names are these numbers, but for SMPTE 170M, which is BT.601.
      self.init(
        matrix: matrix,
        scalerTable: matrix == AVCOL_SPC_SMPTE170M ? SWS_CS_ITU601 : Int32(matrix.rawValue))
    default:
      return nil
    }
  }

  /// Images are sRGB: its primaries are those of BT.709, its transfer is its own.
  func tag(_ context: UnsafeMutablePointer<AVCodecContext>) {
    context.pointee.colorspace = matrix
    context.pointee.color_primaries = AVCOL_PRI_BT709
    context.pointee.color_trc = AVCOL_TRC_IEC61966_2_1
    context.pointee.color_range = AVCOL_RANGE_MPEG
    context.pointee.chroma_sample_location = AVCHROMA_LOC_CENTER
  }
}
