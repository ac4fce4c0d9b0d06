import CMuJoCo
import COSMesa
import Media
import Synchronization

/// Draws a MuJoCo world into memory, without a display or a graphics card.
final class MuJoCoRenderer {
  let width: Int
  let height: Int
  private let environment: String
  /// A copy: simulations share theirs, and images need a floor and a buffer of their own size.
  private let model: MuJoCoModel
  private let context: OSMesaContext
  /// What OSMesa takes for its window; the image itself is drawn off screen and antialiased.
  private let window: UnsafeMutablePointer<UInt8>
  // Allocated, because the library keeps their addresses.
  private let scene = UnsafeMutablePointer<mjvScene>.allocate(capacity: 1)
  private let resources = UnsafeMutablePointer<mjrContext>.allocate(capacity: 1)
  private var options = mjvOption()
  private var camera = mjvCamera()
  /// Whether an image was drawn: the first one of a context differs from all that follow by 1 of 255
  /// in some samples, and a policy that sees images must see the same ones after a restart.
  private var hasDrawn = false

  /// Held while any renderer works: a graphics context belongs to the thread that made it current,
  /// and the library loads the functions of OpenGL into globals.
  private static let lock = Mutex(())

  /// Makes a renderer for images of one size.
  ///
  /// - Throws: `EnvironmentError.renderingUnavailable` if OSMesa gives no context.
  init(model: MuJoCoModel, width: Int, height: Int, environment: String) throws {
    precondition(width > 0 && height > 0, "an image of \(width)x\(height) pixels")
    self.width = width
    self.height = height
    self.environment = environment
    self.model = MuJoCoModel(copying: model)
    guard let context = OSMesaCreateContextExt(UInt32(OSMESA_RGBA), 24, 8, 0, nil) else {
      throw EnvironmentError.renderingUnavailable(
        environment: environment, reason: "OSMesa gave no context")
    }
    self.context = context
    window = .allocate(capacity: 4 * width * height)
    mjv_defaultOption(&options)
    mjv_defaultCamera(&camera)
    camera.type = Int32(mjCAMERA_FIXED.rawValue)
    camera.fixedcamid = mj_name2id(model.pointer, Int32(mjOBJ_CAMERA.rawValue), "track")
    mjv_defaultScene(scene)
    mjr_defaultContext(resources)
    drawFloorsWithoutEnd()
    let drawn = self.model
    let isReady = try withCurrentContext {
      drawn.pointer.pointee.vis.global.offwidth = Int32(width)
      drawn.pointer.pointee.vis.global.offheight = Int32(height)
      mjv_makeScene(drawn.pointer, scene, 200)
      mjr_makeContext(drawn.pointer, resources, Int32(mjFONTSCALE_100.rawValue))
      mjr_setBuffer(Int32(mjFB_OFFSCREEN.rawValue), resources)
      return resources.pointee.currentBuffer == Int32(mjFB_OFFSCREEN.rawValue)
    }
    guard isReady else {
      throw EnvironmentError.renderingUnavailable(
        environment: environment, reason: "OpenGL has no off-screen buffers here")
    }
  }

  /// Robots run further than the models' floors, which have no end for them; a drawn one has none
  /// with the extent 0.
  private func drawFloorsWithoutEnd() {
    let parts = model.pointer.pointee
    for geometry in 0..<Int(parts.ngeom)
    where parts.geom_type[geometry] == Int32(mjGEOM_PLANE.rawValue) {
      parts.geom_size[3 * geometry] = 0
      parts.geom_size[3 * geometry + 1] = 0
    }
  }

  deinit {
    try? withCurrentContext {
      mjr_freeContext(resources)
      mjv_freeScene(scene)
    }
    OSMesaDestroyContext(context)
    window.deallocate()
    scene.deallocate()
    resources.deallocate()
  }

  /// Draws the world as its tracking camera sees it.
  func draw(_ simulation: MuJoCoSimulation) throws -> Image {
    let area = mjrRect(left: 0, bottom: 0, width: Int32(width), height: Int32(height))
    var upsideDown = [UInt8](repeating: 0, count: 3 * width * height)
    try withCurrentContext {
      for _ in 0..<(hasDrawn ? 1 : 2) {
        simulation.update(scene, drawing: model, camera: &camera, options: &options)
        mjr_setBuffer(Int32(mjFB_OFFSCREEN.rawValue), resources)
        mjr_render(area, scene, resources)
        mjr_readPixels(&upsideDown, nil, area, resources)
      }
      hasDrawn = true
    }
    // OpenGL's first row is the lowest one.
    let rowSize = 3 * width
    let upright = (0..<height).reversed().map { upsideDown[$0 * rowSize..<($0 + 1) * rowSize] }
    return Image(width: width, height: height, channelCount: 3, samples: Array(upright.joined()))
  }

  private func withCurrentContext<Result>(_ body: () -> Result) throws -> Result {
    try MuJoCoRenderer.lock.withLock { _ in
      let isCurrent = OSMesaMakeCurrent(
        context, window, UInt32(GL_UNSIGNED_BYTE), Int32(width), Int32(height))
      guard isCurrent != 0 else {
        throw EnvironmentError.renderingUnavailable(
          environment: environment, reason: "OSMesa refused a \(width)x\(height) image")
      }
      defer { _ = OSMesaMakeCurrent(nil, nil, 0, 0, 0) }
      return body()
    }
  }
}
