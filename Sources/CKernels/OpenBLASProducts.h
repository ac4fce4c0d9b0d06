#pragma once

#include <stdbool.h>

/// result[rows, columns] (+)= left[rows, inner] x right[inner, columns] by OpenBLAS; false, and
/// nothing done, where it is not there or does not take a left operand that lies so.
bool openblas_multiply(
    long rows, long columns, long inner, const float *left, long row_stride, long column_stride,
    const float *right, long right_stride, float *result, long result_stride, bool accumulates);
