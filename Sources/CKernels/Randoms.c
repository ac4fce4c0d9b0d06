#include "include/Randoms.h"

#include "ScalarMath.h"

/// Ten rounds of Philox on one counter; constants from the paper.
ALWAYS_INLINE void philox(uint64_t key, uint64_t stream, uint64_t position, uint32_t word[4]) {
  uint32_t x0 = (uint32_t)position, x1 = (uint32_t)(position >> 32);
  uint32_t x2 = (uint32_t)stream, x3 = (uint32_t)(stream >> 32);
  uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
  for (int round = 0; round < 10; round++) {
    const uint64_t product0 = (uint64_t)0xD2511F53u * x0;
    const uint64_t product1 = (uint64_t)0xCD9E8D57u * x2;
    const uint32_t next0 = (uint32_t)(product1 >> 32) ^ x1 ^ key0;
    const uint32_t next2 = (uint32_t)(product0 >> 32) ^ x3 ^ key1;
    x1 = (uint32_t)product1;
    x3 = (uint32_t)product0;
    x0 = next0;
    x2 = next2;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  word[0] = x0;
  word[1] = x1;
  word[2] = x2;
  word[3] = x3;
}

/// The upper 24 bits as a multiple of 2^-24 in [0, 1).
ALWAYS_INLINE float uniform_of(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }

void attune_philox_block(uint64_t key, uint64_t stream, uint64_t position, uint32_t words[4]) {
  philox(key, stream, position, words);
}

AUTO_VECTORIZED
void attune_philox_uniform(
    uint64_t key, uint64_t stream, uint64_t first_block, long count, float *result) {
  for (long i = 0; i < count / 4; i++) {
    uint32_t word[4];
    philox(key, stream, first_block + (uint64_t)i, word);
    for (int j = 0; j < 4; j++) result[4 * i + j] = uniform_of(word[j]);
  }
}

/// cos(2 pi t) and sin(2 pi t) for 0 <= t < 1: the nearest quarter turn, and polynomials for the
/// rest.
ALWAYS_INLINE void turn(float t, float *cosine, float *sine) {
  const int quarter = (int)(4.0f * t + 0.5f);
  const float angle = (4.0f * t - (float)quarter) * 1.57079633f;
  const float square = angle * angle;
  float s = -0.00019517298f;
  s = s * square + 0.008332178f;
  s = s * square - 0.16666655f;
  s = s * square * angle + angle;
  float c = 2.443845e-05f;
  c = c * square - 0.0013887368f;
  c = c * square + 0.041666646f;
  c = c * square * square - 0.5f * square + 1.0f;
  const int is_odd = quarter & 1;
  const float x = is_odd ? s : c, y = is_odd ? c : s;
  *cosine = (quarter + 1) & 2 ? -x : x;
  *sine = quarter & 2 ? -y : y;
}

AUTO_VECTORIZED
void attune_philox_normal(
    uint64_t key, uint64_t stream, uint64_t first_block, long count, float *result) {
  for (long i = 0; i < count / 4; i++) {
    uint32_t word[4];
    philox(key, stream, first_block + (uint64_t)i, word);
    for (int j = 0; j < 4; j += 2) {
      // 1 - u lies in (0, 1], where the logarithm is finite.
      const float radius = __builtin_elementwise_sqrt(-2.0f * log_of(1.0f - uniform_of(word[j])));
      float cosine, sine;
      turn(uniform_of(word[j + 1]), &cosine, &sine);
      result[4 * i + j] = radius * cosine;
      result[4 * i + j + 1] = radius * sine;
    }
  }
}

// What follows reproduces PyTorch's bits: the Cephes polynomials for ln, sin and cos in single
// precision, and the places where its compiler fused a product with a sum (found by comparing
// millions of draws). The constants are those of Cephes (Moshier, netlib.org/cephes).

static float cephes_log(float x) {
#pragma clang fp contract(off)
  const uint32_t bits = bits_of_float(x);
  float exponent = (float)((int32_t)(bits >> 23) - 0x7e);
  float fraction = float_from_bits((bits & ~0x7f800000u) | 0x3f000000u);
  if (fraction < 0.707106781f) {
    exponent -= 1.0f;
    fraction = (fraction - 1.0f) + fraction;
  } else {
    fraction -= 1.0f;
  }
  static const float coefficients[9] = {
      7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f,
      -1.6668057665e-1f, 2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
  float y = coefficients[0];
  for (int i = 1; i < 9; i++) y = __builtin_fmaf(y, fraction, coefficients[i]);
  y = y * fraction;
  const float square = fraction * fraction;
  y = __builtin_fmaf(y, square, exponent * -2.12194440e-4f);
  y = __builtin_fmaf(-square, 0.5f, y);
  return __builtin_fmaf(exponent, 0.693359375f, fraction + y);
}

/// Sine and cosine of x >= 0.
static void cephes_sine_cosine(float x, float *sine, float *cosine) {
#pragma clang fp contract(off)
  const int octant = ((int)(x * 1.27323954473516f) + 1) & ~1;
  const float y = (float)octant;
  x = __builtin_fmaf(y, -0.78515625f, x);
  x = __builtin_fmaf(y, -2.4187564849853515625e-4f, x);
  x = __builtin_fmaf(y, -3.77489497744594108e-8f, x);
  const float square = x * x;
  float c = 2.443315711809948e-5f;
  c = __builtin_fmaf(c, square, -1.388731625493765e-3f);
  c = __builtin_fmaf(c, square, 4.166664568298827e-2f);
  c = c * square;
  c = __builtin_fmaf(c, square, -(square * 0.5f));
  c = c + 1.0f;
  float s = -1.9515295891e-4f;
  s = __builtin_fmaf(s, square, 8.3321608736e-3f);
  s = __builtin_fmaf(s, square, -1.6666654611e-1f);
  s = s * square;
  s = __builtin_fmaf(s, x, x);
  const int is_swapped = octant & 2;
  *sine = is_swapped ? c : s;
  *cosine = is_swapped ? s : c;
  if (octant & 4) *sine = -*sine;
  if (!((octant - 2) & 4)) *cosine = -*cosine;
}

void attune_torch_normal(long count, float *values) {
#pragma clang fp contract(off)
  for (long first = 0; first < count; first += 16)
    for (long i = first; i < first + 8; i++) {
      const float radius = __builtin_sqrtf(-2.0f * cephes_log(1.0f - values[i]));
      float sine, cosine;
      cephes_sine_cosine(6.283185307179586f * values[i + 8], &sine, &cosine);
      values[i] = radius * cosine;
      values[i + 8] = radius * sine;
    }
}
