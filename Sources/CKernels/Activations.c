#include "include/Activations.h"

#include <math.h>

#include "ScalarMath.h"

#define UNARY_LOOP(expression) \
  INDEPENDENT for (long i = 0; i < count; i++) { \
    const float v = x[i]; \
    result[i] = expression; \
  } \
  break

#define BACKWARD_LOOP(known, expression) \
  INDEPENDENT for (long i = 0; i < count; i++) { \
    const float v = known[i]; \
    result[i] = upstream[i] * (expression); \
  } \
  break

/// x tanh(softplus(x)); with e = exp(x), tanh(ln(1 + e)) = e (e + 2) / (e (e + 2) + 2).
ALWAYS_INLINE float mish_of(float x) {
  const float e = exp_of(x > 20.0f ? 20.0f : x);
  const float n = e * (e + 2.0f);
  return x > 20.0f ? x : x * (n / (n + 2.0f));
}

ALWAYS_INLINE float mish_derivative(float x) {
  const float e = exp_of(x > 20.0f ? 20.0f : x);
  const float n = e * (e + 2.0f);
  const float inverse = 1.0f / (n + 2.0f);
  // d/dx tanh(softplus(x)) = (1 - tanh^2) sigmoid(x) = 4 (n + 1) / (n + 2)^2 * e / (1 + e),
  // and n + 1 = (1 + e)^2.
  const float slope = 4.0f * e * (1.0f + e) * inverse * inverse;
  return x > 20.0f ? 1.0f : n * inverse + x * slope;
}

ALWAYS_INLINE float gelu_of(float x) { return 0.5f * x * (1.0f + erf_of(x * 0.70710678f)); }

ALWAYS_INLINE float gelu_derivative(float x) {
  const float density = 0.39894228f * exp_of(-0.5f * x * x);
  return 0.5f * (1.0f + erf_of(x * 0.70710678f)) + x * density;
}

ALWAYS_INLINE float gelu_tanh_of(float x) {
  const float inner = 0.79788456f * (x + 0.044715f * x * x * x);
  return 0.5f * x * (1.0f + tanh_of(inner));
}

ALWAYS_INLINE float gelu_tanh_derivative(float x) {
  const float t = tanh_of(0.79788456f * (x + 0.044715f * x * x * x));
  const float slope = 0.79788456f * (1.0f + 3.0f * 0.044715f * x * x);
  return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * slope;
}

ALWAYS_INLINE float swish_derivative(float x, float beta) {
  const float s = sigmoid_of(beta * x);
  return s + beta * x * s * (1.0f - s);
}

AUTO_VECTORIZED
void attune_unary(attune_unary_kind kind, long count, const float *x, float *result) {
  switch (kind) {
    // NaN is not greater than zero, but must stay: hence the comparison with "less".
    case attune_unary_relu: UNARY_LOOP(v < 0.0f ? 0.0f : v);
    case attune_unary_mish: UNARY_LOOP(mish_of(v));
    case attune_unary_silu: UNARY_LOOP(v * sigmoid_of(v));
    case attune_unary_gelu: UNARY_LOOP(gelu_of(v));
    case attune_unary_gelu_tanh: UNARY_LOOP(gelu_tanh_of(v));
    case attune_unary_gelu_quick: UNARY_LOOP(v * sigmoid_of(1.702f * v));
    case attune_unary_tanh: UNARY_LOOP(tanh_of(v));
    case attune_unary_sigmoid: UNARY_LOOP(sigmoid_of(v));
    case attune_unary_softplus: UNARY_LOOP(softplus_of(v));
    case attune_unary_exp: UNARY_LOOP(exp_of(v));
    case attune_unary_log: UNARY_LOOP(log_of(v));
    case attune_unary_sqrt: UNARY_LOOP(__builtin_elementwise_sqrt(v));
    case attune_unary_square: UNARY_LOOP(v * v);
    case attune_unary_absolute: UNARY_LOOP(__builtin_fabsf(v));
  }
}

AUTO_VECTORIZED
void attune_unary_backward(
    attune_unary_kind kind, long count, const float *x, const float *y, const float *upstream,
    float *result) {
  switch (kind) {
    case attune_unary_relu: BACKWARD_LOOP(x, v > 0.0f ? 1.0f : 0.0f);
    case attune_unary_mish: BACKWARD_LOOP(x, mish_derivative(v));
    case attune_unary_silu: BACKWARD_LOOP(x, swish_derivative(v, 1.0f));
    case attune_unary_gelu: BACKWARD_LOOP(x, gelu_derivative(v));
    case attune_unary_gelu_tanh: BACKWARD_LOOP(x, gelu_tanh_derivative(v));
    case attune_unary_gelu_quick: BACKWARD_LOOP(x, swish_derivative(v, 1.702f));
    case attune_unary_tanh: BACKWARD_LOOP(y, 1.0f - v * v);
    case attune_unary_sigmoid: BACKWARD_LOOP(y, v * (1.0f - v));
    case attune_unary_softplus: BACKWARD_LOOP(x, sigmoid_of(v));
    case attune_unary_exp: BACKWARD_LOOP(y, v);
    case attune_unary_log: BACKWARD_LOOP(x, 1.0f / v);
    case attune_unary_sqrt: BACKWARD_LOOP(y, 0.5f / v);
    case attune_unary_square: BACKWARD_LOOP(x, 2.0f * v);
    case attune_unary_absolute: BACKWARD_LOOP(x, v > 0.0f ? 1.0f : v < 0.0f ? -1.0f : 0.0f);
  }
}
