import CKernels
import Glibc

/// What multiplies matrices.
enum MatrixKernel: Hashable, Sendable, CaseIterable {
  /// Multiply-adds of 32-bit floats, with AVX-512, AVX2 or none of them.
  case float32
  /// OpenBLAS, in 32-bit floats.
  case openBLAS
  /// AMX on bfloat16, and on operands in two parts of it.
  case tiles, splitTiles
  /// AVX-512's dot products of bfloat16.
  case dots
  /// The last three with their instructions in plain C.
  case emulatedTiles, emulatedSplitTiles, emulatedDots

  /// The one that the current precision is computed by.
  static var current: MatrixKernel { ProductArithmetic.current.kernel }

  var number: attune_matrix_kernel {
    switch self {
    case .float32: attune_kernel_float32
    case .openBLAS: attune_kernel_openblas
    case .tiles: attune_kernel_tiles
    case .splitTiles: attune_kernel_split_tiles
    case .dots: attune_kernel_dots
    case .emulatedTiles: attune_kernel_emulated_tiles
    case .emulatedSplitTiles: attune_kernel_emulated_split_tiles
    case .emulatedDots: attune_kernel_emulated_dots
    }
  }

  var isAvailable: Bool { attune_kernel_is_available(number) }

  /// Whether it reads 32-bit floats, in panels `[inner][32]`.
  var readsFloats: Bool { self == .float32 || self == .openBLAS }

  /// Rows of the left operand that are multiplied at a time; blocks of rows are multiples of it.
  var rowUnit: Int { readsFloats ? 14 : 16 }

  /// What it is called in reports.
  var name: String {
    switch self {
    case .float32: "float32 (\(Self.floatInstructions))"
    case .openBLAS: "float32 (OpenBLAS)"
    case .tiles: "bfloat16 (AMX)"
    case .splitTiles: "two parts of bfloat16 (AMX)"
    case .dots: "bfloat16 (AVX-512)"
    case .emulatedTiles: "bfloat16 (AMX, emulated)"
    case .emulatedSplitTiles: "two parts of bfloat16 (AMX, emulated)"
    case .emulatedDots: "bfloat16 (AVX-512, emulated)"
    }
  }

  private static var floatInstructions: String {
    if attune_has_instructions(attune_instructions_avx512) { return "AVX-512" }
    return attune_has_instructions(attune_instructions_avx2) ? "AVX2" : "portable"
  }
}

/// What multiplies in each precision.
struct MatrixKernels: Sendable, Hashable {
  var highest: MatrixKernel
  var high: MatrixKernel
  var medium: MatrixKernel

  subscript(precision: Precision) -> MatrixKernel {
    switch precision {
    case .highest: highest
    case .high: high
    case .medium: medium
    }
  }

  /// All that the given one can do: no other precision.
  init(all kernel: MatrixKernel) { self.init(highest: kernel, high: kernel, medium: kernel) }

  init(highest: MatrixKernel, high: MatrixKernel, medium: MatrixKernel) {
    self.highest = highest
    self.high = high
    self.medium = medium
  }

  /// AMX in plain C, for tests on processors without it.
  static let emulatedAMX = MatrixKernels(
    highest: .float32, high: .emulatedSplitTiles, medium: .emulatedTiles)
  /// AVX-512's bfloat16 in plain C.
  static let emulatedAVX512 = MatrixKernels(
    highest: .float32, high: .float32, medium: .emulatedDots)

  /// The best of this processor.
  static var ofThisProcessor: MatrixKernels {
    // Without AVX2 a portable loop is left, which OpenBLAS's kernels are far ahead of.
    let hasKernel = attune_has_instructions(attune_instructions_avx2)
    let highest = !hasKernel && MatrixKernel.openBLAS.isAvailable ? MatrixKernel.openBLAS : .float32
    if MatrixKernel.tiles.isAvailable {
      return MatrixKernels(highest: highest, high: .splitTiles, medium: .tiles)
    }
    return MatrixKernels(
      highest: highest, high: highest, medium: MatrixKernel.dots.isAvailable ? .dots : highest)
  }

  /// The variable by which a user chooses.
  static let variable = "ATTUNE_MATMUL"

  /// What a value of the variable stands for.
  ///
  /// - Throws: `MatrixProductError` if it is no choice, or none that is to be had here.
  init(choice: String) throws(MatrixProductError) {
    switch choice {
    case "", "auto": self = .ofThisProcessor
    case "float32": self.init(all: .float32)
    case "openblas":
      guard MatrixKernel.openBLAS.isAvailable else {
        throw MatrixProductError(
          description: "\(Self.variable)=openblas: libopenblas.so.0 cannot be loaded; install "
            + "libopenblas0, or leave the variable out")
      }
      self.init(all: .openBLAS)
    case "emulate-amx": self = .emulatedAMX
    case "emulate-avx512bf16": self = .emulatedAVX512
    default:
      throw MatrixProductError(
        description: "\(Self.variable) is '\(choice)', expected auto, float32, openblas, "
          + "emulate-amx or emulate-avx512bf16")
    }
  }

  /// What this process multiplies by, or why it cannot.
  private static let choice = Result { () throws(MatrixProductError) in
    try MatrixKernels(choice: getenv(variable).map { String(cString: $0) } ?? "")
  }

  /// What this process multiplies by.
  static var ofThisProcess: MatrixKernels {
    switch choice {
    case .success(let kernels): return kernels
    case .failure(let error): fatalError(error.description)
    }
  }

  /// Checks the user's choice.
  static func check() throws(MatrixProductError) { _ = try choice.get() }
}

/// What the user wants products computed by is not to be had.
public struct MatrixProductError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What is wrong and what to do, in one line.
  public let description: String
}
