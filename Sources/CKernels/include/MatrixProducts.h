// Matrix products on a right operand that was packed into panels once and is used often.
//
// Each element of a product is one chain of fused multiply-adds in the order of the inner
// dimension, so its value depends neither on the other rows and columns nor on how they are split.
#pragma once

#include <stdbool.h>

enum {
  /// Columns of a full panel of a packed matrix.
  attune_panel_width = 32,
};

/// Packs columns [first_column, first_column + column_count) of a `[inner, *]` matrix into panels.
/// Panel p holds columns 32 p ... as `[inner][32]`, zero beyond the last column, so that `packed`
/// has inner * 32 * ceil(column_count / 32) elements.
void attune_pack_panels(
    long inner, long first_column, long column_count, const float *matrix, long row_stride,
    long column_stride, float *packed);

/// result[rows, columns] (+)= left[rows, inner] x packed[inner, columns], over the given panels.
/// Only columns below `columns` are written. `bias` (one for each column) may be null and is added
/// once at the end; with `accumulates` the product is added to what the result holds.
void attune_matrix_product(
    long rows, long columns, long inner, const float *left, long left_row_stride,
    long left_column_stride, const float *packed, long first_panel, long panel_count,
    const float *bias, float *result, long result_row_stride, bool accumulates);
