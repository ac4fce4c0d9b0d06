// Elementary functions of one float, written without branches so that loops over them vectorize.
//
// The polynomials were fitted for this project (weighted least squares towards the minimax, in
// extended precision); each function's error is below 3 units in the last place of its result.
#pragma once

#include "Vectors.h"

ALWAYS_INLINE float float_from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

ALWAYS_INLINE uint32_t bits_of_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// e^r - 1 for |r| <= ln 2 / 2.
ALWAYS_INLINE float exp_minus_one(float r) {
  float p = 0.0013950834f;
  p = p * r + 0.008369088f;
  p = p * r + 0.041666202f;
  p = p * r + 0.16666517f;
  p = p * r + 0.5f;
  return p * r * r + r;
}

/// e^x 2^(bias - 127): x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial for e^r, and the power of
/// two by its exponent bits.
ALWAYS_INLINE float biased_exp(float x, uint32_t bias) {
  const float shifter = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504f + shifter;
  const float n = shifted - shifter;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  const float power = float_from_bits((bits_of_float(shifted) + bias) << 23);
  return exp_minus_one(r) * power + power;
}

ALWAYS_INLINE float exp_of(float x) {
  const float clamped = x > 88.72283f ? 88.72283f : x < -87.33654f ? -87.33654f : x;
  // n reaches 128, where 2^n is not a float: multiply by 2^(n-1) and then by 2.
  const float value = biased_exp(clamped, 126u) * 2.0f;
  return x > 88.72283f ? float_from_bits(0x7f800000u) : x < -87.33654f ? 0.0f : value;
}

/// ln x for normal x > 0: x = 2^n (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2).
ALWAYS_INLINE float log_of(float x) {
  const uint32_t bits = bits_of_float(x);
  const int32_t n = (int32_t)(bits - 0x3f3504f3u) >> 23;
  const float f = float_from_bits(bits - ((uint32_t)n << 23)) - 1.0f;
  float p = -0.07859546f;
  p = p * f + 0.12881622f;
  p = p * f - 0.13128768f;
  p = p * f + 0.14181197f;
  p = p * f - 0.16624554f;
  p = p * f + 0.20002286f;
  p = p * f - 0.2500081f;
  p = p * f + 0.33333316f;
  const float square = f * f;
  float value = p * square * f - 0.5f * square;
  value = value + (float)n * -2.12194440e-4f;
  value = (value + f) + (float)n * 0.693359375f;
  const float infinity = float_from_bits(0x7f800000u), nan = float_from_bits(0x7fc00000u);
  value = x == 0.0f ? -infinity : value;
  value = x < 0.0f ? nan : value;
  return x < infinity ? value : x;
}

/// ln(1 + x) for x >= 0, also where 1 + x rounds x away.
ALWAYS_INLINE float log1p_of(float x) {
  const float sum = 1.0f + x;
  const float lost = x - (sum - 1.0f);
  return log_of(sum) + lost / sum;
}

ALWAYS_INLINE float tanh_of(float x) {
  const float square = x * x;
  float p = -0.005717037f;
  p = p * square + 0.020650579f;
  p = p * square - 0.053743497f;
  p = p * square + 0.13331491f;
  p = p * square - 0.33333284f;
  const float near = p * square * x + x;
  const float magnitude = x < 0.0f ? -x : x;
  const float far = 1.0f - 2.0f / (exp_of(2.0f * magnitude) + 1.0f);
  return magnitude < 0.625f ? near : x < 0.0f ? -far : far;
}

/// e^x with x clamped to +-80: for sums with 1, to which what lies beyond adds nothing.
ALWAYS_INLINE float moderate_exp_of(float x) {
  return biased_exp(x > 80.0f ? 80.0f : x < -80.0f ? -80.0f : x, 127u);
}

ALWAYS_INLINE float sigmoid_of(float x) { return 1.0f / (1.0f + moderate_exp_of(-x)); }

/// erf(x): an odd polynomial up to 1, then 1 - e^-q(x).
ALWAYS_INLINE float erf_of(float x) {
  const float magnitude = x < 0.0f ? -x : x;
  const float square = x * x;
  float p = -9.680134e-06f;
  p = p * square + 0.000112705435f;
  p = p * square - 0.0008484711f;
  p = p * square + 0.005221075f;
  p = p * square - 0.026865445f;
  p = p * square + 0.11283783f;
  p = p * square - 0.37612638f;
  p = p * square + 1.1283792f;
  const float near = p * x;
  const float t = magnitude > 4.0f ? 4.0f : magnitude;
  float q = 2.0909563e-05f;
  q = q * t - 0.0004323031f;
  q = q * t + 0.004160527f;
  q = q * t - 0.025091497f;
  q = q * t + 0.10823662f;
  q = q * t + 0.6333867f;
  q = q * t + 1.1294951f;
  q = q * t - 0.00017055213f;
  const float far = 1.0f - exp_of(-q);
  return magnitude < 1.0f ? near : x < 0.0f ? -far : far;
}

/// ln(1 + e^x) without overflow.
ALWAYS_INLINE float softplus_of(float x) {
  const float magnitude = x < 0.0f ? -x : x;
  return (x > 0.0f ? x : 0.0f) + log1p_of(exp_of(-magnitude));
}
