// Arithmetic on corresponding elements.
#pragma once

typedef enum {
  attune_binary_add,
  attune_binary_subtract,
  attune_binary_multiply,
  attune_binary_divide,
  attune_binary_maximum,
  attune_binary_minimum,
} attune_binary_kind;

/// result[i] = a[i a_stride] op b[i b_stride]; strides are 0 or 1.
void attune_binary(
    attune_binary_kind kind, long count, const float *a, long a_stride, const float *b,
    long b_stride, float *result);

/// result = x scale + shift
void attune_scale_and_shift(long count, const float *x, float scale, float shift, float *result);

/// result += x scale
void attune_add_scaled(long count, const float *x, float scale, float *result);

/// result = min(max(x, lower), upper); NaN stays NaN.
void attune_clamp(long count, const float *x, float lower, float upper, float *result);

/// result = upstream where lower <= x <= upper, else 0.
void attune_clamp_backward(
    long count, const float *x, const float *upstream, float lower, float upper, float *result);

/// result = condition != 0 ? a : b
void attune_select(
    long count, const float *condition, const float *a, const float *b, float *result);

/// result = a > b ? 1 : a == b ? tie : 0
void attune_is_greater(long count, const float *a, const float *b, float tie, float *result);

/// ln of the density of N(mean, std) at x, element by element.
void attune_gaussian_log_density(
    long count, const float *x, const float *mean, const float *std, float *result);

/// The derivatives of the above times `upstream`, each pointer null if it is not wanted.
void attune_gaussian_log_density_backward(
    long count, const float *x, const float *mean, const float *std,
    const float *upstream, float *x_gradient, float *mean_gradient, float *std_gradient);
