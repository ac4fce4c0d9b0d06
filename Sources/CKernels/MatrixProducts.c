#include "include/MatrixProducts.h"

#include "OpenBLASProducts.h"
#include "ReducedProducts.h"
#include "Vectors.h"
#include "include/OpenBLAS.h"
#include "include/Processors.h"

/// Rows of the left operand that stay in the second-level cache while all panels pass by.
enum { block_row_count = 168, block_inner_count = 512 };

#define VARIANT_SOURCE "MatrixProducts.inc"
#include "ForEachVariant.h"

bool attune_kernel_is_available(attune_matrix_kernel kernel) {
  switch (kernel) {
    case attune_kernel_openblas: return attune_openblas_is_available();
    case attune_kernel_tiles:
    case attune_kernel_split_tiles:
      return attune_has_instructions(attune_instructions_amx_bf16) &&
             attune_has_instructions(attune_instructions_avx512_bf16) && attune_may_use_tiles();
    case attune_kernel_dots: return attune_has_instructions(attune_instructions_avx512_bf16);
    default: return true;
  }
}

// MARK: Packing

/// Floats of so many bfloat16 elements.
static long float_count(long halves) { return halves / 2; }

long attune_packed_size(attune_matrix_kernel kernel, long inner, long column_count) {
  const long panels = (column_count + 31) / 32, parts = reduced_parts(kernel);
  return parts == 0 ? inner * 32 * panels
                    : float_count(panels * step_count(inner) * parts * right_step_size);
}

/// Packs one full panel whose columns are contiguous in memory.
ALWAYS_INLINE void pack_rows(long inner, const float *matrix, long row_stride, float *packed) {
  for (long p = 0; p < inner; p++)
    memcpy(packed + p * 32, matrix + p * row_stride, 32 * sizeof(float));
}

void attune_pack_panels(
    attune_matrix_kernel kernel, long inner, long first_row, long row_count, long first_column,
    long column_count, const float *matrix, long row_stride, long column_stride, float *packed) {
  matrix += first_column * column_stride;
  if (reduced_parts(kernel) > 0) {
    reduced_pack(
        kernel, inner, first_row, row_count, column_count, matrix, row_stride, column_stride,
        (bfloat16 *)packed);
    return;
  }
  packed += first_row * 32;
  for (long j = 0; j < column_count; j += 32, packed += inner * 32) {
    const float *corner = matrix + j * column_stride;
    const long width = column_count - j < 32 ? column_count - j : 32;
    if (width == 32 && column_stride == 1) {
      pack_rows(row_count, corner, row_stride, packed);
    } else if (width == 32 && row_stride == 1) {
      CALL_VARIANT(pack_columns, row_count, corner, column_stride, packed);
    } else {
      for (long p = 0; p < row_count; p++)
        for (long q = 0; q < 32; q++)
          packed[p * 32 + q] = q < width ? corner[p * row_stride + q * column_stride] : 0;
    }
  }
}

// MARK: Products

/// A product by OpenBLAS, panel by panel; by the kernel of 32-bit floats where OpenBLAS does not
/// take the operand as it lies.
static void openblas_product(
    long rows, long columns, long inner, const float *left, long left_row_stride,
    long left_column_stride, const float *packed, long first_panel, long panel_count,
    const float *bias, float *result, long result_row_stride, bool accumulates) {
  for (long n = first_panel; n < first_panel + panel_count && n * 32 < columns; n++) {
    const long column = n * 32, width = columns - column < 32 ? columns - column : 32;
    const bool is_done =
        rows > 0 && inner > 0 &&
        openblas_multiply(
            rows, width, inner, left, left_row_stride, left_column_stride,
            packed + column * inner, 32, result + column, result_row_stride, accumulates);
    if (!is_done) {
      CALL_VARIANT(
          matrix_product, rows, columns, inner, left, left_row_stride, left_column_stride,
          packed, n, 1, bias, result, result_row_stride, accumulates);
    } else if (bias) {
      for (long i = 0; i < rows; i++)
        for (long j = column; j < column + width; j++)
          result[i * result_row_stride + j] += bias[j];
    }
  }
}

static reduced_product reduced(
    attune_matrix_kernel kernel, long columns, long inner, const float *packed, long first_panel,
    long panel_count, float *result, long result_row_stride, bool accumulates) {
  return (reduced_product){
      reduced_parts(kernel), columns, inner, (const bfloat16 *)packed, first_panel, panel_count,
      result, result_row_stride, accumulates, step_count(inner)};
}

void attune_matrix_product(
    attune_matrix_kernel kernel, long rows, long columns, long inner, const float *left,
    long left_row_stride, long left_column_stride, const float *packed, long first_panel,
    long panel_count, const float *bias, float *result, long result_row_stride,
    bool accumulates) {
  if (kernel == attune_kernel_float32) {
    CALL_VARIANT(
        matrix_product, rows, columns, inner, left, left_row_stride, left_column_stride, packed,
        first_panel, panel_count, bias, result, result_row_stride, accumulates);
  } else if (kernel == attune_kernel_openblas) {
    openblas_product(
        rows, columns, inner, left, left_row_stride, left_column_stride, packed, first_panel,
        panel_count, bias, result, result_row_stride, accumulates);
  } else {
    const reduced_product product = reduced(
        kernel, columns, inner, packed, first_panel, panel_count, result, result_row_stride,
        accumulates);
    reduced_multiply(kernel, &product, rows, left, left_row_stride, left_column_stride, bias);
  }
}

long attune_left_size(attune_matrix_kernel kernel, long rows, long inner) {
  const long parts = reduced_parts(kernel), blocks = (rows + tile_rows - 1) / tile_rows;
  return parts == 0 ? rows * inner
                    : float_count(blocks * step_count(inner) * parts * left_step_size);
}

void attune_prepare_left(
    attune_matrix_kernel kernel, long rows, long inner, const float *left, long row_stride,
    long column_stride, float *prepared) {
  if (reduced_parts(kernel) > 0) {
    reduced_prepare_left(
        kernel, rows, inner, left, row_stride, column_stride, (bfloat16 *)prepared);
    return;
  }
  for (long i = 0; i < rows; i++)
    for (long p = 0; p < inner; p++)
      prepared[i * inner + p] = left[i * row_stride + p * column_stride];
}

void attune_prepared_product(
    attune_matrix_kernel kernel, long rows, long columns, long inner, const float *prepared,
    const float *packed, long first_panel, long panel_count, float *result,
    long result_row_stride, bool accumulates) {
  if (reduced_parts(kernel) == 0) {
    attune_matrix_product(
        kernel, rows, columns, inner, prepared, inner, 1, packed, first_panel, panel_count, 0,
        result, result_row_stride, accumulates);
    return;
  }
  const reduced_product product = reduced(
      kernel, columns, inner, packed, first_panel, panel_count, result, result_row_stride,
      accumulates);
  reduced_multiply_prepared(kernel, &product, rows, (const bfloat16 *)prepared);
}
