// Products of operands in bfloat16: what MatrixProducts.c calls for the kernels of a reduced
// precision.
#pragma once

#include "Bfloat16.h"
#include "include/MatrixProducts.h"

/// The right operand and the result of a product.
typedef struct {
  /// 1, or 2 where operands are split.
  long parts;
  long columns, inner;
  const bfloat16 *packed;
  long first_panel, panel_count;
  float *result;
  long result_stride;
  bool accumulates;
  /// Steps of the inner dimension.
  long steps;
} reduced_product;

/// Bfloat16 parts of each element: 0 where a kernel reads 32-bit floats.
long reduced_parts(attune_matrix_kernel kernel);

void reduced_pack(
    attune_matrix_kernel kernel, long inner, long first_row, long row_count, long column_count,
    const float *matrix, long row_stride, long column_stride, bfloat16 *packed);

void reduced_prepare_left(
    attune_matrix_kernel kernel, long rows, long inner, const float *left, long row_stride,
    long column_stride, bfloat16 *prepared);

void reduced_multiply(
    attune_matrix_kernel kernel, const reduced_product *product, long rows, const float *left,
    long row_stride, long column_stride, const float *bias);

void reduced_multiply_prepared(
    attune_matrix_kernel kernel, const reduced_product *product, long rows,
    const bfloat16 *prepared);
