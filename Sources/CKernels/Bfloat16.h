// bfloat16, the upper half of a 32-bit float, and how operands of products lie in it.
#pragma once

#include <math.h>

#include "Vectors.h"

typedef uint16_t bfloat16;

/// Integers without sign, as wide as `vector16`.
typedef uint32_t unsigned16 __attribute__((ext_vector_type(16), aligned(4)));

/// Halves of the same number of lanes.
typedef uint16_t halves16 __attribute__((ext_vector_type(16), aligned(2)));

enum {
  /// Inner indices that are multiplied together: a tile's row.
  step_inner = 32,
  /// Pairs of inner indices in a step.
  step_pairs = 16,
  /// Rows of a tile.
  tile_rows = 16,
  /// Elements of a step of sixteen rows of a left operand, for each part.
  left_step_size = tile_rows * step_inner,
  /// Elements of a step of a panel of a right operand, for each part.
  right_step_size = step_inner * 32,
};

static inline long step_count(long inner) { return (inner + step_inner - 1) / step_inner; }

static inline long pair_count(long inner) { return (inner + 1) / 2; }

static inline uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline float widened(bfloat16 x) {
  const uint32_t bits = (uint32_t)x << 16;
  float result;
  memcpy(&result, &bits, sizeof result);
  return result;
}

/// To nearest, ties to even, as vcvtneps2bf16 does it: denormals become zero, NaN stays NaN.
static inline bfloat16 rounded(float x) {
  const uint32_t bits = bits_of(x), magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return (bfloat16)(bits >> 16 | 0x40);
  if (magnitude < 0x00800000) return (bfloat16)(bits >> 16 & 0x8000);
  return (bfloat16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// x = high + low but for the last 8 of its 24 bits.
///
/// Infinity is split in 1 and infinity, of its sign: rounded, it would leave infinity - infinity for
/// the second part, and with a second part of zero, products of it with whole numbers, whose second
/// part is zero too, would not be numbers. What would be rounded to infinity is not.
static inline void split(float x, bfloat16 *high, bfloat16 *low) {
  const uint32_t bits = bits_of(x), magnitude = bits & 0x7fffffff;
  const bfloat16 sign = (bfloat16)(bits >> 16 & 0x8000);
  if (magnitude == 0x7f800000)
    *high = sign | 0x3f80;
  else if (magnitude > 0x7f7f0000 && magnitude < 0x7f800000)
    *high = sign | 0x7f7f;
  else
    *high = rounded(x);
  *low = rounded(x - widened(*high));
}
