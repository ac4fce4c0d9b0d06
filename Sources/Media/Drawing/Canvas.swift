import CPangoCairo

/// A point of a drawing: x to the right, y downwards.
public typealias DrawingPoint = SIMD2<Double>

/// An image in the making, on which cairo paints shapes and texts with smooth edges.
///
/// Lengths are in units of `size`, the plane that the image shows, from its upper left corner. A
/// canvas stays on the thread that made it.
public final class Canvas {
  /// The longest side that cairo paints, in pixels.
  public static let maxSide = 32_767

  /// Pixels in a row, and rows.
  public let width: Int, height: Int
  private let surface: OpaquePointer
  let context: OpaquePointer

  /// Makes an empty canvas.
  ///
  /// - Parameters:
  ///   - width: pixels in a row.
  ///   - height: rows.
  ///   - size: the width and height of the plane that the image shows; pixels unless given.
  ///   - background: the color of what nothing is painted on.
  public init(width: Int, height: Int, size: DrawingPoint? = nil, background: Color = .white) {
    precondition(
      (1...Canvas.maxSide).contains(width) && (1...Canvas.maxSide).contains(height),
      "a canvas has sides of 1 to \(Canvas.maxSide) pixels: \(width)x\(height) does not")
    guard
      let surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, Int32(width), Int32(height)),
      let context = cairo_create(surface), cairo_status(context) == CAIRO_STATUS_SUCCESS
    else { preconditionFailure("a canvas of \(width)x\(height) pixels ran out of memory") }
    self.width = width
    self.height = height
    self.surface = surface
    self.context = context
    setColor(background, opacity: 1)
    cairo_paint(context)
    if let size {
      precondition(size.x > 0 && size.y > 0, "a canvas cannot show a plane of \(size.x)x\(size.y)")
      cairo_scale(context, Double(width) / size.x, Double(height) / size.y)
    }
  }

  deinit {
    cairo_destroy(context)
    cairo_surface_destroy(surface)
  }

  /// Fills what polygons cover together, without seams where they meet.
  ///
  /// Polygons that overlap have to run around in the same direction.
  public func fill(_ polygons: [[DrawingPoint]], color: Color, opacity: Double = 1) {
    guard polygons.allSatisfy({ $0.allSatisfy(Canvas.isDrawable) }) else { return }
    for polygon in polygons {
      addChain(polygon)
      cairo_close_path(context)
    }
    setColor(color, opacity: opacity)
    cairo_fill(context)
  }

  /// Fills a disc.
  public func fillDisc(center: DrawingPoint, radius: Double, color: Color) {
    guard Canvas.isDrawable(center), radius > 0 else { return }
    cairo_new_sub_path(context)
    cairo_arc(context, center.x, center.y, radius, 0, 2 * .pi)
    setColor(color, opacity: 1)
    cairo_fill(context)
  }

  /// Draws a chain of lines with round joints and ends.
  ///
  /// - Parameters:
  ///   - points: the ends of the lines.
  ///   - width: the width of a line.
  ///   - color: the color.
  ///   - isClosed: whether a line leads from the last point to the first.
  ///   - dashes: lengths that are drawn and left out in turn; none for full lines.
  public func stroke(
    _ points: [DrawingPoint], width: Double, color: Color, isClosed: Bool = false,
    dashes: [Double] = []
  ) {
    guard points.allSatisfy(Canvas.isDrawable) else { return }
    addChain(points)
    if isClosed { cairo_close_path(context) }
    cairo_set_line_width(context, width)
    cairo_set_line_join(context, CAIRO_LINE_JOIN_ROUND)
    cairo_set_line_cap(context, CAIRO_LINE_CAP_ROUND)
    cairo_set_dash(context, dashes, Int32(dashes.count), 0)
    setColor(color, opacity: 1)
    cairo_stroke(context)
  }

  /// Calls `body`, of which nothing is drawn outside a rectangle.
  public func clipped(
    to corner: DrawingPoint, size: DrawingPoint, _ body: () throws -> Void
  ) rethrows {
    cairo_save(context)
    defer { cairo_restore(context) }
    cairo_rectangle(context, corner.x, corner.y, size.x, size.y)
    cairo_clip(context)
    try body()
  }

  /// What has been drawn so far, as RGB.
  public var image: Image {
    cairo_surface_flush(surface)
    guard let data = cairo_image_surface_get_data(surface) else {
      preconditionFailure("a canvas of \(width)x\(height) pixels has lost its memory")
    }
    let rowSize = Int(cairo_image_surface_get_stride(surface))
    return Image(width: width, height: height, channelCount: 3) { samples in
      var index = 0
      for row in 0..<height {
        // One word a pixel, 0x00RRGGBB: cairo's RGB24 rows are aligned words, bound to nothing else.
        let pixels = UnsafeRawPointer(data + row * rowSize).assumingMemoryBound(to: UInt32.self)
        for column in 0..<width {
          let pixel = pixels[column]
          samples[index] = UInt8(truncatingIfNeeded: pixel >> 16)
          samples[index + 1] = UInt8(truncatingIfNeeded: pixel >> 8)
          samples[index + 2] = UInt8(truncatingIfNeeded: pixel)
          index += 3
        }
      }
    }
  }

  func setColor(_ color: Color, opacity: Double) {
    cairo_set_source_rgba(
      context, Double(color.red) / 255, Double(color.green) / 255, Double(color.blue) / 255,
      opacity)
  }

  private func addChain(_ points: [DrawingPoint]) {
    cairo_new_sub_path(context)
    for point in points { cairo_line_to(context, point.x, point.y) }
  }

  /// Cairo counts in 256ths of a pixel with 32 bits; what is far outside cannot be seen anyway.
  private static func isDrawable(_ point: DrawingPoint) -> Bool {
    abs(point.x) < 4e6 && abs(point.y) < 4e6
  }
}
