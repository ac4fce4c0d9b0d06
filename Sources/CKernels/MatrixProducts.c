#include "include/MatrixProducts.h"

#include "Vectors.h"

/// Rows of the left operand that stay in the second-level cache while all panels pass by.
enum { block_row_count = 168, block_inner_count = 512 };

#define VARIANT_SOURCE "MatrixProducts.inc"
#include "ForEachVariant.h"

void attune_matrix_product(
    long rows, long columns, long inner, const float *left, long left_row_stride,
    long left_column_stride, const float *packed, long first_panel, long panel_count,
    const float *bias, float *result, long result_row_stride, bool accumulates) {
  CALL_VARIANT(
      matrix_product, rows, columns, inner, left, left_row_stride, left_column_stride, packed,
      first_panel, panel_count, bias, result, result_row_stride, accumulates);
}

/// Packs one full panel whose columns are contiguous in memory.
ALWAYS_INLINE void pack_rows(long inner, const float *matrix, long row_stride, float *packed) {
  for (long p = 0; p < inner; p++)
    memcpy(packed + p * 32, matrix + p * row_stride, 32 * sizeof(float));
}

void attune_pack_panels(
    long inner, long first_column, long column_count, const float *matrix, long row_stride,
    long column_stride, float *packed) {
  for (long j = 0; j < column_count; j += 32, packed += inner * 32) {
    const float *corner = matrix + (first_column + j) * column_stride;
    const long width = column_count - j < 32 ? column_count - j : 32;
    if (width == 32 && column_stride == 1) {
      pack_rows(inner, corner, row_stride, packed);
    } else if (width == 32 && row_stride == 1) {
      CALL_VARIANT(pack_columns, inner, corner, column_stride, packed);
    } else {
      for (long p = 0; p < inner; p++)
        for (long q = 0; q < 32; q++)
          packed[p * 32 + q] = q < width ? corner[p * row_stride + q * column_stride] : 0;
    }
  }
}
