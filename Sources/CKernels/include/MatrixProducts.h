// Matrix products on a right operand that was packed into panels once and is used often.
//
// Each element of a product is one chain of fused multiply-adds in the order of the inner
// dimension, so its value depends neither on the other rows and columns nor on how they are split.
// Kernels of a reduced precision have other chains, of which the same is true; OpenBLAS promises
// nothing of the kind.
#pragma once

#include <stdbool.h>

enum {
  /// Columns of a full panel of a packed matrix.
  attune_panel_width = 32,
};

/// What multiplies.
typedef enum {
  /// Fused multiply-adds of 32-bit floats.
  attune_kernel_float32,
  /// OpenBLAS's product of 32-bit floats.
  attune_kernel_openblas,
  /// AMX's tiles: operands rounded to bfloat16, sums of 32-bit floats.
  attune_kernel_tiles,
  /// The same on operands split in two bfloat16 parts, x = high + low: three products.
  attune_kernel_split_tiles,
  /// AVX-512's dot products of two bfloat16 elements (vdpbf16ps).
  attune_kernel_dots,
  /// The last three with their instructions in plain C, which give the same bits.
  attune_kernel_emulated_tiles,
  attune_kernel_emulated_split_tiles,
  attune_kernel_emulated_dots,
} attune_matrix_kernel;

/// Whether this processor, and the system for it, can run a kernel. The first question about tiles
/// requests the system's permission to use them, and one about OpenBLAS loads the library.
bool attune_kernel_is_available(attune_matrix_kernel kernel);

/// Floats that a packed matrix takes.
long attune_packed_size(attune_matrix_kernel kernel, long inner, long column_count);

/// Packs rows [first_row, first_row + row_count) of all `inner`, and columns [first_column,
/// first_column + column_count), of which the first begins a panel, into panels. `matrix` points at
/// the first of these rows.
///
/// For 32-bit floats panel p holds columns 32 p ... as `[inner][32]`, zero beyond the last column.
/// For bfloat16 it holds them as `[ceil(inner / 32)][parts][16][32][2]`: pairs of rows side by side,
/// zero beyond the last row too.
void attune_pack_panels(
    attune_matrix_kernel kernel, long inner, long first_row, long row_count, long first_column,
    long column_count, const float *matrix, long row_stride, long column_stride, float *packed);

/// result[rows, columns] (+)= left[rows, inner] x packed[inner, columns], over the given panels.
/// Only columns below `columns` are written. `bias` (one for each column) may be null and is added
/// once at the end; with `accumulates` the product is added to what the result holds.
void attune_matrix_product(
    attune_matrix_kernel kernel, long rows, long columns, long inner, const float *left,
    long left_row_stride, long left_column_stride, const float *packed, long first_panel,
    long panel_count, const float *bias, float *result, long result_row_stride, bool accumulates);

/// Floats that a prepared left operand takes.
long attune_left_size(attune_matrix_kernel kernel, long rows, long inner);

/// Arranges a left operand for several products, each on a few columns alone.
void attune_prepare_left(
    attune_matrix_kernel kernel, long rows, long inner, const float *left, long row_stride,
    long column_stride, float *prepared);

/// As `attune_matrix_product`, with a prepared left operand and without bias.
void attune_prepared_product(
    attune_matrix_kernel kernel, long rows, long columns, long inner, const float *prepared,
    const float *packed, long first_panel, long panel_count, float *result,
    long result_row_stride, bool accumulates);

/// Gives back what the calling thread holds of the tile unit, before it sleeps. The next product
/// takes it again.
void attune_release_tiles(void);
