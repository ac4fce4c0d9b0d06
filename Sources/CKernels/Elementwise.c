#include "include/Elementwise.h"

#include "ScalarMath.h"

#define BINARY_LOOPS(expression) \
  do { \
    if (a_stride && b_stride) \
      INDEPENDENT for (long i = 0; i < count; i++) { \
        const float x = a[i], y = b[i]; \
        result[i] = expression; \
      } \
    else if (a_stride) { \
      const float y = *b; \
      INDEPENDENT for (long i = 0; i < count; i++) { \
        const float x = a[i]; \
        result[i] = expression; \
      } \
    } else { \
      const float x = *a; \
      INDEPENDENT for (long i = 0; i < count; i++) { \
        const float y = b[b_stride * i]; \
        result[i] = expression; \
      } \
    } \
  } while (0)

AUTO_VECTORIZED
void attune_binary(
    attune_binary_kind kind, long count, const float *a, long a_stride, const float *b,
    long b_stride, float *result) {
  switch (kind) {
    case attune_binary_add: BINARY_LOOPS(x + y); break;
    case attune_binary_subtract: BINARY_LOOPS(x - y); break;
    case attune_binary_multiply: BINARY_LOOPS(x * y); break;
    case attune_binary_divide: BINARY_LOOPS(x / y); break;
    // NaN in either operand gives NaN, as in PyTorch.
    case attune_binary_maximum: BINARY_LOOPS(x > y || x != x ? x : y); break;
    case attune_binary_minimum: BINARY_LOOPS(x < y || x != x ? x : y); break;
  }
}

AUTO_VECTORIZED
void attune_scale_and_shift(long count, const float *x, float scale, float shift, float *result) {
  INDEPENDENT for (long i = 0; i < count; i++) result[i] = x[i] * scale + shift;
}

AUTO_VECTORIZED
void attune_add_scaled(long count, const float *x, float scale, float *result) {
  INDEPENDENT for (long i = 0; i < count; i++) result[i] += x[i] * scale;
}

AUTO_VECTORIZED
void attune_clamp(long count, const float *x, float lower, float upper, float *result) {
  INDEPENDENT for (long i = 0; i < count; i++) result[i] = x[i] < lower ? lower : x[i] > upper ? upper : x[i];
}

AUTO_VECTORIZED
void attune_clamp_backward(
    long count, const float *x, const float *upstream, float lower, float upper, float *result) {
  INDEPENDENT for (long i = 0; i < count; i++) result[i] = x[i] < lower || x[i] > upper ? 0 : upstream[i];
}

AUTO_VECTORIZED
void attune_select(
    long count, const float *condition, const float *a, const float *b, float *result) {
  INDEPENDENT for (long i = 0; i < count; i++) result[i] = condition[i] != 0 ? a[i] : b[i];
}

AUTO_VECTORIZED
void attune_is_greater(long count, const float *a, const float *b, float tie, float *result) {
  INDEPENDENT for (long i = 0; i < count; i++) result[i] = a[i] > b[i] ? 1 : a[i] == b[i] ? tie : 0;
}

static const float half_log_two_pi = 0.918938533204672742f;

AUTO_VECTORIZED
void attune_gaussian_log_density(
    long count, const float *x, const float *mean, const float *std, float *result) {
  INDEPENDENT for (long i = 0; i < count; i++) {
    const float z = (x[i] - mean[i]) / std[i];
    result[i] = -0.5f * z * z - log_of(std[i]) - half_log_two_pi;
  }
}

AUTO_VECTORIZED
void attune_gaussian_log_density_backward(
    long count, const float *x, const float *mean, const float *std,
    const float *upstream, float *x_gradient, float *mean_gradient, float *std_gradient) {
  if (x_gradient)
    INDEPENDENT for (long i = 0; i < count; i++)
      x_gradient[i] = upstream[i] * (mean[i] - x[i]) / (std[i] * std[i]);
  if (mean_gradient)
    INDEPENDENT for (long i = 0; i < count; i++)
      mean_gradient[i] = upstream[i] * (x[i] - mean[i]) / (std[i] * std[i]);
  if (std_gradient)
    INDEPENDENT for (long i = 0; i < count; i++) {
      const float z = (x[i] - mean[i]) / std[i];
      std_gradient[i] = upstream[i] * (z * z - 1.0f) / std[i];
    }
}
