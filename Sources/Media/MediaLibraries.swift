import CFFmpeg
import CPNGBridge
import CPangoCairo
import Files

extension LibraryVersion {
  /// The libraries that images and videos are read, drawn and written by.
  public static var ofMedia: [LibraryVersion] {
    [
      LibraryVersion("FFmpeg", String(cString: av_version_info())),
      LibraryVersion("libpng", String(cString: attune_png_library_version())),
      LibraryVersion("Pango", String(cString: pango_version_string())),
      LibraryVersion("cairo", String(cString: cairo_version_string())),
    ]
  }
}
