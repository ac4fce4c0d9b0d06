import CKernels

extension Precision {
  /// What computes it in this process, as in "bfloat16 (AMX)".
  public var kernelName: String { MatrixKernels.ofThisProcess[self].name }

  /// What decides the bits of its products in this process: where two processes have the same, their
  /// products have the same bits, but for OpenBLAS's.
  public var arithmetic: String {
    switch MatrixKernels.ofThisProcess[self] {
    case .float32: "float32"
    case .openBLAS: "float32 by OpenBLAS"
    case .tiles, .emulatedTiles: "bfloat16 in tiles"
    case .splitTiles, .emulatedSplitTiles: "two parts of bfloat16 in tiles"
    case .dots, .emulatedDots: "bfloat16 in dot products"
    }
  }

  /// Whether it is computed otherwise than `highest` in this process.
  public var isReducedHere: Bool {
    MatrixKernels.ofThisProcess[self] != MatrixKernels.ofThisProcess.highest
  }

  /// What a user who asked for it should know: what computes it, and why where that is no other than
  /// for `highest`.
  public var note: String {
    let name = "precision \(rawValue): \(kernelName)"
    guard self != .highest, !isReducedHere else { return name }
    guard MatrixKernels.ofThisProcess == .ofThisProcessor else {
      return name + ", by \(MatrixKernels.variable)"
    }
    let needed = self == .high ? "AMX" : "AMX or AVX-512 BF16"
    return name + ", as this processor has no \(needed)"
  }
}

/// The processor and how this process uses it.
public struct ComputingDescription: Sendable, Equatable {
  /// What computes a precision.
  public struct Kernel: Sendable, Equatable {
    /// The precision.
    public let precision: Precision
    /// What computes it, as in "bfloat16 (AMX)".
    public let name: String
  }

  /// The processor's own name.
  public let processor: String
  /// What it has of the instructions that Attune has kernels for, as Linux names them.
  public let instructionSets: [String]
  /// Whether the tile unit is there and the system does not let this process use it.
  public let isRefusedTiles: Bool
  /// What computes each precision.
  public let kernels: [Kernel]
  /// Threads of the worker pool.
  public let threads: Int
  /// OpenBLAS, where it is installed; loaded by looking.
  public let openBLAS: String?

  /// Looks at this machine.
  public init() {
    processor = Self.processorName
    let sets = (0..<attune_instructions_count.rawValue).map { attune_instruction_set(rawValue: $0) }
    instructionSets = sets.filter(attune_has_instructions).map {
      String(cString: attune_instruction_set_name($0))
    }
    isRefusedTiles =
      attune_has_instructions(attune_instructions_amx_tile) && !attune_may_use_tiles()
    kernels = Precision.allCases.map { Kernel(precision: $0, name: $0.kernelName) }
    threads = WorkerPool.shared.threadCount
    openBLAS =
      MatrixKernel.openBLAS.isAvailable
      ? attune_openblas_description().map { String(cString: $0) } : nil
  }

  /// The processor's own name; "unknown" where it tells none.
  public static var processorName: String {
    var name = [CChar](repeating: 0, count: 64)
    attune_processor_name(&name)
    let text = String(
      decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.isEmpty ? "unknown" : text.split(separator: " ").joined(separator: " ")
  }

  /// Checks what the user chose by ATTUNE_MATMUL, before anything is computed.
  ///
  /// - Throws: `MatrixProductError` if it is no choice, or not to be had.
  public static func checkChoice() throws(MatrixProductError) { try MatrixKernels.check() }
}
