#include "include/Reductions.h"

#include "Vectors.h"

enum { lane_count = 32, block_count = 2048, row_block = 64, column_block = 256 };

/// Sums a block in `lane_count` lanes, then the lanes pairwise.
#define BLOCKWISE_SUM(term) \
  double total = 0; \
  for (long start = 0; start < count; start += block_count) { \
    const long end = count - start < block_count ? count : start + block_count; \
    float lanes[lane_count] = {0}; \
    long i = start; \
    for (; i + lane_count <= end; i += lane_count) \
      for (long j = 0; j < lane_count; j++) lanes[j] += term(i + j); \
    for (long j = 0; i < end; i++, j++) lanes[j] += term(i); \
    for (long width = lane_count / 2; width > 0; width /= 2) \
      for (long j = 0; j < width; j++) lanes[j] += lanes[j + width]; \
    total += lanes[0]; \
  } \
  return total

ALWAYS_INLINE double sum_of(long count, const float *x) {
#define TERM(i) x[i]
  BLOCKWISE_SUM(TERM);
#undef TERM
}

AUTO_VECTORIZED
double attune_sum(long count, const float *x) { return sum_of(count, x); }

AUTO_VECTORIZED
double attune_dot(long count, const float *x, const float *y) {
#define TERM(i) x[i] * y[i]
  BLOCKWISE_SUM(TERM);
#undef TERM
}

/// result[columns] (+)= the sum of `rows` rows, `stride` apart.
ALWAYS_INLINE void sum_rows(
    long rows, long columns, long stride, const float *x, float *result, int accumulates) {
  for (long first = 0; first < columns; first += column_block) {
    const long width = columns - first < column_block ? columns - first : column_block;
    double totals[column_block];
    float block[column_block];
    for (long j = 0; j < width; j++) totals[j] = accumulates ? result[first + j] : 0;
    for (long start = 0; start < rows; start += row_block) {
      const long end = rows - start < row_block ? rows : start + row_block;
      memset(block, 0, sizeof block);
      for (long i = start; i < end; i++) {
        const float *row = x + i * stride + first;
        for (long j = 0; j < width; j++) block[j] += row[j];
      }
      for (long j = 0; j < width; j++) totals[j] += block[j];
    }
    for (long j = 0; j < width; j++) result[first + j] = (float)totals[j];
  }
}

AUTO_VECTORIZED
void attune_sum_rows(long rows, long columns, const float *x, float *result, int accumulates) {
  sum_rows(rows, columns, columns, x, result, accumulates);
}

AUTO_VECTORIZED
void attune_sum_middle(
    long outer, long reduced, long inner, const float *x, float *result) {
  for (long o = 0; o < outer; o++) {
    const float *block = x + o * reduced * inner;
    if (inner == 1)
      result[o] = (float)sum_of(reduced, block);
    else
      sum_rows(reduced, inner, inner, block, result + o * inner, 0);
  }
}

void attune_maximum(
    long rows, long columns, const float *x, float *result, int32_t *positions) {
  for (long i = 0; i < rows; i++) {
    const float *row = x + i * columns;
    float greatest = row[0];
    int32_t position = 0;
    for (long j = 1; j < columns; j++)
      if (row[j] > greatest || (row[j] != row[j] && greatest == greatest)) {
        greatest = row[j];
        position = (int32_t)j;
      }
    result[i] = greatest;
    positions[i] = position;
  }
}
