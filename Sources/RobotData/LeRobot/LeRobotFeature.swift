import Files

/// What a LeRobot data set has for each frame under one name, such as `observation.state`.
public struct LeRobotFeature: Sendable, Equatable {
  /// What a frame's value is.
  public enum Kind: Sendable, Equatable {
    /// Numbers or booleans.
    case numbers(ElementType)
    /// A text.
    case text
    /// An image, which lies in the table as PNG.
    case image
    /// A frame of a video file beside the table.
    case video
    /// Something that Attune does not read, in words.
    case unreadable(String)
  }

  /// Its name.
  public let name: String
  /// What a frame's value is.
  public let kind: Kind
  /// The shape of a frame's value; `[1]` of a single number. Images state theirs in the order of
  /// `componentNames`, as in `[480, 640, 3]` for height, width and channels.
  public let shape: [Int]
  /// The names of the components, such as those of joints; empty where the data set has none.
  public let componentNames: [String]

  /// Whether frames have an image.
  public var isImage: Bool { kind == .image || kind == .video }

  /// Makes a feature to write.
  ///
  /// - Parameters:
  ///   - name: its name.
  ///   - elementType: the type of its numbers.
  ///   - shape: the shape of a frame's value; `[1]` of a single number.
  ///   - componentNames: the names of the components, if they have any.
  public init(
    _ name: String, _ elementType: ElementType = .float32, shape: [Int],
    componentNames: [String] = []
  ) {
    (self.name, kind) = (name, .numbers(elementType))
    (self.shape, self.componentNames) = (shape, componentNames)
  }

  /// Makes a feature of RGB images to write, which lie in the table as PNG.
  ///
  /// - Parameters:
  ///   - name: its name, `observation.images.NAME` for LeRobot's policies.
  ///   - width: pixels in a row.
  ///   - height: rows.
  public init(imagesNamed name: String, width: Int, height: Int) {
    (self.name, kind, shape) = (name, .image, [height, width, 3])
    componentNames = ["height", "width", "channels"]
  }

  /// Reads a feature's entry of `meta/info.json`.
  init(name: String, _ json: JSONMember) throws(FileError) {
    self.name = name
    let type = try json.member("dtype").string()
    shape = try json.member("shape").array().map { value throws(FileError) in try value.count() }
    componentNames = LeRobotFeature.names(json.optionalMember("names")?.value)
    kind =
      LeRobotFeature.isDepth(json.value)
      ? .unreadable("depth maps") : LeRobotFeature.kind(of: type)
  }

  private static func kind(of type: String) -> Kind {
    switch type {
    case "image": .image
    case "video": .video
    case "string": .text
    default: ElementType(rawValue: type).map { .numbers($0) } ?? .unreadable("the type '\(type)'")
    }
  }

  /// Names stand in a list, or in a dictionary of lists as in `{"motors": ["left", "right"]}`.
  private static func names(_ json: JSONValue?) -> [String] {
    switch json {
    case .array(let values): values.flatMap { names($0) }
    case .object(let members):
      members.sorted { $0.key < $1.key }.flatMap { names($0.value) }
    case .string(let name): [name]
    default: []
    }
  }

  private static func isDepth(_ json: JSONValue) -> Bool {
    guard case .object(let members) = json else { return false }
    return ["info", "video_info"].contains { key in
      guard case .object(let info)? = members[key] else { return false }
      return info["is_depth_map"] == true || info["video.is_depth_map"] == true
    }
  }
}
