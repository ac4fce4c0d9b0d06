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
  }

  /// A text with its name, as it is in the file.
  public struct Item: Sendable {
    /// Its name, with the names of its containers.
    public let name: String
    /// Its value in a few words.
    public let value: String
  }

  /// The path as it was given.
  public let path: String
  /// What kind of file it is.
  public let kind: FileKind
  /// All tensors, sorted by name.
  public private(set) var tensors: [Entry] = []
  /// What else is in the file: metadata, attributes, numbers, links, in order.
  public private(set) var items: [Item] = []

  /// Reads what is in a file.
  ///
  /// - Throws: `FileError` if it cannot be opened, is damaged or of another kind.
  public init(path: String) throws(FileError) {
    self.path = path
    kind = try FileKind(path: path)
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
    }
  }

  private mutating func add(_ name: String, _ elementType: ElementType, _ shape: [Int]) {
    tensors.append(
      Entry(
        name: name, type: elementType.rawValue, shape: shape,
        byteCount: Checked.byteCount(shape: shape, of: elementType)))
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
