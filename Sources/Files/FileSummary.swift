/// What is in a file with tensors, without the tensors' elements.
public struct FileSummary: Sendable {
  /// One tensor.
  public struct Entry: Sendable {
    /// Its name in the file; empty for the array of an npy file.
    public let name: String
    /// The type of its elements; for HDF5 also of datasets that Attune does not read.
    public let type: String
    /// The size of each dimension, outermost first.
    public let shape: [Int]
    /// The bytes of its elements; nil where their type has no known size.
    public let byteCount: Int?

    /// A tensor of numbers.
    public init(name: String, elementType: ElementType, shape: [Int]) {
      self.init(
        name: name, type: elementType.rawValue, shape: shape,
        byteCount: Checked.byteCount(shape: shape, of: elementType))
    }

    /// Something else, of which a type in words is shown.
    public init(name: String, type: String, shape: [Int], byteCount: Int? = nil) {
      (self.name, self.type, self.shape, self.byteCount) = (name, type, shape, byteCount)
    }
  }

  /// A text with its name, as it is in the file.
  public struct Item: Sendable {
    /// Its name, with the names of its containers.
    public let name: String
    /// Its value in a few words.
    public let value: String

    /// A text under a name.
    public init(name: String, value: String) { (self.name, self.value) = (name, value) }
  }

  /// The path as it was given.
  public let path: String
  /// What kind of file or data set it is, in a word, as in `FileKind`.
  public let kind: String
  /// All tensors, sorted by name.
  public private(set) var tensors: [Entry] = []
  /// What else is in the file: metadata, attributes, numbers, links, in order.
  public private(set) var items: [Item] = []

  /// What somebody else found.
  public init(path: String, kind: String, tensors: [Entry], items: [Item]) {
    (self.path, self.kind, self.tensors, self.items) = (path, kind, tensors, items)
  }

  /// Reads what is in a file.
  ///
  /// - Throws: `FileError` if it cannot be opened, is damaged or of another kind.
  public init(path: String) throws(FileError) {
    self.path = path
    let kind = try FileKind(path: path)
    self.kind = kind.rawValue
    switch kind {
    case .safetensors where FileKind.isIndex(path), .pytorch where FileKind.isIndex(path):
      try add(try ShardedTensorFile(indexPath: path))
    case .safetensors: try add(try SafetensorsFile(path: path))
    case .npy:
      let tensor = try NPYFile.read(path: path)
      add("", tensor.elementType, tensor.shape)
    case .npz: add(try NPZFile(path: path))
    case .hdf5: add(try HDF5File(path: path))
    case .pytorch: add(try PyTorchFile(path: path))
    case .parquet: add(try ParquetFile(path: path))
    case .zarr: add(try ZarrFile(path: path))
    }
  }

  private mutating func add(_ name: String, _ elementType: ElementType, _ shape: [Int]) {
    tensors.append(Entry(name: name, elementType: elementType, shape: shape))
  }

  private mutating func add(_ file: SafetensorsFile) throws(FileError) {
    for (name, text) in file.metadata.sorted(by: { $0.key < $1.key }) {
      items.append(Item(name: name, value: text))
    }
    try add(file as any TensorFile)
  }

  /// Only for files whose tensors are views, which cost nothing to make.
  private mutating func add(_ file: any TensorFile) throws(FileError) {
    for name in file.names {
      let tensor = try file.storedTensor(named: name)
      add(name, tensor.elementType, tensor.shape)
    }
  }

  private mutating func add(_ file: NPZFile) {
    for (name, reason) in file.unreadable.sorted(by: { $0.key < $1.key }) {
      items.append(Item(name: name, value: "not read: \(reason)"))
    }
    for name in file.names {
      if let layout = file.layout(of: name) { add(name, layout.elementType, layout.shape) }
    }
  }

  private mutating func add(_ file: HDF5File) {
    for name in file.groups + file.datasets.map(\.name) {
      let attributes = file.attributes(of: name).sorted { $0.key < $1.key }
      for (key, attribute) in attributes {
        items.append(Item(name: "\(name)@\(key)", value: attribute.description))
      }
    }
    for (name, what) in file.links.sorted(by: { $0.key < $1.key }) {
      items.append(Item(name: name, value: what))
    }
    for dataset in file.datasets {
      if let problem = dataset.problem {
        items.append(Item(name: dataset.name, value: "not read: \(problem)"))
      }
      tensors.append(
        Entry(
          name: dataset.name, type: dataset.typeName, shape: dataset.shape,
          byteCount: dataset.elementType.flatMap {
            Checked.byteCount(shape: dataset.shape, of: $0)
          }))
    }
  }

  private mutating func add(_ file: ZarrFile) {
    for (name, reason) in file.unreadable.sorted(by: { $0.key < $1.key }) {
      items.append(Item(name: name, value: "not read: \(reason)"))
    }
    for name in file.names {
      if let layout = file.layout(of: name) { add(name, layout.elementType, layout.shape) }
    }
  }

  /// Columns by their name; lists have as many values as their rows say, which only reading tells.
  private mutating func add(_ file: ParquetFile) {
    for (name, text) in file.metadata.sorted(by: { $0.key < $1.key }) {
      items.append(Item(name: name, value: text))
    }
    items.append(
      Item(name: "rows", value: "\(file.rowCount) in \(file.rowGroups.count) row groups"))
    for column in file.columns.sorted(by: { $0.name < $1.name }) {
      let lists = String(repeating: "lists of ", count: column.listDepth)
      switch column.storage {
      case .numbers(let type) where column.listDepth == 0:
        add(column.name, type, [file.rowCount])
      case .numbers(let type):
        tensors.append(
          Entry(name: column.name, type: lists + type.rawValue, shape: [file.rowCount]))
      case .bytes:
        tensors.append(Entry(name: column.name, type: lists + "bytes", shape: [file.rowCount]))
      case .unreadable(let what):
        items.append(Item(name: column.name, value: "not read: \(what)"))
      }
    }
  }

  private mutating func add(_ file: PyTorchFile) {
    for leaf in file.root.leaves ?? [] {
      if case .tensor = leaf.value { continue }
      items.append(Item(name: leaf.name, value: leaf.value.summary))
    }
    for name in file.names {
      if let layout = file.layout(of: name) { add(name, layout.elementType, layout.shape) }
    }
  }
}
