#include "include/Attention.h"

#include "ScalarMath.h"
#include "include/MatrixProducts.h"

enum {
  query_panel = 32,
  forward_key_block = 168,  // twelve tiles; a panel of scores stays in the first-level cache
  key_block = 256,
};

static const float log2_e = 1.44269504f, ln_2 = 0.69314718f;

static long rounded_up(long count, long multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

static long minimum(long a, long b) { return a < b ? a : b; }

long attune_attention_scratch_size(long count, long head_size) {
  return forward_key_block * (2 * head_size + query_panel) +
         rounded_up(count, query_panel) * (2 * head_size + 2);
}

#define VARIANT_SOURCE "Attention.inc"
#include "ForEachVariant.h"

/// Fetches rows that will soon be in use: in a matrix of several heads they lie too far apart for
/// the processor to foresee.
static void prefetch_rows(long rows, long columns, const float *x, long stride) {
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < columns; j += 16) __builtin_prefetch(x + i * stride + j, 0, 2);
}

/// A panel of queries, `[size][32]`, and what is known of their results, `[size][32]`, and of their
/// softmax. Only the first `columns` lanes, 16 or 32, are in use.
typedef struct {
  long size, columns;
  const float *queries;
  float *results, *maxima, *sums;
} panel_state;

/// Folds a block of keys and values, `[keys][size]`, into a panel. Lane q sees keys up to `limit` +
/// q if attention is causal.
static void fold_keys(
    const panel_state *panel, long count, const float *keys, const float *values, bool is_causal,
    long limit, float *scores) {
  if (is_causal && limit + panel->columns <= 0) return;
  attune_matrix_product(
      count, panel->columns, panel->size, keys, panel->size, 1, panel->queries, 0, 1, 0, scores,
      query_panel, false);
  for (long q = 0; q < panel->columns; q += 16) {
    if (is_causal) CALL_VARIANT(hide_later_keys, count, limit + q, scores + q);
    CALL_VARIANT(
        fold_scores, count, panel->size, scores + q, panel->maxima + q, panel->sums + q,
        panel->results + q);
  }
  attune_matrix_product(
      panel->size, panel->columns, count, values, 1, panel->size, scores, 0, 1, 0,
      panel->results, query_panel, true);
}

void attune_attention(
    const attune_attention_head *head, long first, long count, float *scratch, float *result,
    long result_stride, float *log_sums) {
  // Everything is transposed, with 32 queries side by side: scores [keys, 32] = keys x queries,
  // which is just the form of a packed panel, and results [size, 32] = values transposed x scores.
  // Maxima and sums are then those of lanes, and no head size needs padding.
  const long size = head->head_size, width = rounded_up(count, query_panel);
  const long key_stride = head->key_stride, value_stride = head->value_stride;
  float *const keys = scratch, *const values = keys + forward_key_block * size;
  float *const scores = values + forward_key_block * size;
  float *const queries = scores + query_panel * forward_key_block;
  float *const results = queries + width * size;
  float *const maxima = results + width * size, *const sums = maxima + width;
  const long first_block = minimum(forward_key_block, head->key_count);
  const float *first_query = head->query + first * head->query_stride;
  prefetch_rows(count, size, first_query, head->query_stride);
  prefetch_rows(first_block, size, head->key, key_stride);
  prefetch_rows(first_block, size, head->value, value_stride);
  prefetch_rows(count, size, result + first * result_stride, result_stride);
  attune_pack_panels(size, first, count, head->query, 1, head->query_stride, queries);
  CALL_VARIANT(copy_scaled, 1, width * size, queries, 0, head->scale * log2_e, queries);
  memset(results, 0, width * size * sizeof(float));
  for (long q = 0; q < width; q++) {
    maxima[q] = -1e30f;
    sums[q] = 0;
  }
  const long end =
      head->is_causal ? minimum(head->key_count, first + count) : head->key_count;
  for (long key = 0; key < end; key += forward_key_block) {
    const long block = minimum(forward_key_block, end - key);
    CALL_VARIANT(copy_scaled, block, size, head->key + key * key_stride, key_stride, 1, keys);
    CALL_VARIANT(
        copy_scaled, block, size, head->value + key * value_stride, value_stride, 1, values);
    const float *next_key = head->key + (key + block) * key_stride;
    const float *next_value = head->value + (key + block) * value_stride;
    const long next_block = minimum(forward_key_block, end - key - block);
    for (long q = 0; q < width; q += query_panel) {
      const long from = next_block * q / width, to = next_block * (q + query_panel) / width;
      prefetch_rows(to - from, size, next_key + from * key_stride, key_stride);
      prefetch_rows(to - from, size, next_value + from * value_stride, value_stride);
      const panel_state panel = {
          size, count - q > 16 ? 32 : 16, queries + q * size, results + q * size, maxima + q,
          sums + q};
      fold_keys(&panel, block, keys, values, head->is_causal, first + q - key, scores);
    }
  }
  for (long q = 0; q < count; q += 16)
    CALL_VARIANT(
        store_results, minimum(16, count - q), size, sums + q,
        results + (q & ~31L) * size + (q & 16), result + (first + q) * result_stride,
        result_stride);
  if (log_sums)
    for (long q = 0; q < count; q++)
      log_sums[first + q] = maxima[q] * ln_2 + log_of(sums[q]);
}

enum { backward_query_block = 112 };

long attune_attention_backward_scratch_size(long head_size) {
  const long wide = rounded_up(head_size, 32);
  // For a block of keys: keys, values packed by columns and keys by rows. For a block of queries:
  // queries and upstream packed by rows, scores and their gradients, scaled queries, corrections.
  return key_block * (2 * head_size + wide) + backward_query_block * 2 * wide +
         backward_query_block * (2 * key_block + head_size + 1);
}

void attune_attention_backward(
    const attune_attention_head *head, const float *result, long result_stride,
    const float *log_sums, const float *upstream, long upstream_stride, float *scratch,
    float *query_gradient, float *key_gradient, float *value_gradient) {
  const long size = head->head_size, wide = rounded_up(size, 32), panels = wide / 32;
  float *const keys_by_column = scratch;
  float *const values_by_column = keys_by_column + key_block * size;
  float *const keys_by_row = values_by_column + key_block * size;
  float *const packed_queries = keys_by_row + key_block * wide;
  float *const packed_upstream = packed_queries + backward_query_block * wide;
  float *const probabilities = packed_upstream + backward_query_block * wide;
  float *const gradients = probabilities + backward_query_block * key_block;
  float *const queries = gradients + backward_query_block * key_block;
  float *const corrections = queries + backward_query_block * size;
  for (long key = 0; key < head->key_count; key += key_block) {
    const long columns = minimum(key_block, head->key_count - key);
    const long key_panels = rounded_up(columns, 32) / 32;
    const float *keys = head->key + key * head->key_stride;
    attune_pack_panels(size, 0, columns, keys, 1, head->key_stride, keys_by_column);
    attune_pack_panels(columns, 0, size, keys, head->key_stride, 1, keys_by_row);
    attune_pack_panels(
        size, 0, columns, head->value + key * head->value_stride, 1, head->value_stride,
        values_by_column);
    long start = head->is_causal ? key / backward_query_block * backward_query_block : 0;
    for (; start < head->query_count; start += backward_query_block) {
      const long rows = minimum(backward_query_block, head->query_count - start);
      const float *query = head->query + start * head->query_stride;
      const float *up = upstream + start * upstream_stride;
      CALL_VARIANT(
          copy_scaled, rows, size, query, head->query_stride, head->scale, queries);
      attune_pack_panels(rows, 0, size, query, head->query_stride, 1, packed_queries);
      attune_pack_panels(rows, 0, size, up, upstream_stride, 1, packed_upstream);
      CALL_VARIANT(
          row_dots, rows, size, up, upstream_stride, result + start * result_stride,
          result_stride, corrections);
      attune_matrix_product(
          rows, key_panels * 32, size, queries, size, 1, keys_by_column, 0, key_panels, 0,
          probabilities, key_block, false);
      CALL_VARIANT(
          restore_probabilities, rows, columns, head->is_causal, start - key,
          log_sums + start, probabilities);
      attune_matrix_product(
          columns, size, rows, probabilities, 1, key_block, packed_upstream, 0, panels, 0,
          value_gradient + key * size, size, true);
      attune_matrix_product(
          rows, key_panels * 32, size, up, upstream_stride, 1, values_by_column, 0,
          key_panels, 0, gradients, key_block, false);
      CALL_VARIANT(
          score_gradients, rows, columns, probabilities, corrections, head->scale, gradients);
      attune_matrix_product(
          columns, size, rows, gradients, 1, key_block, packed_queries, 0, panels, 0,
          key_gradient + key * size, size, true);
      attune_matrix_product(
          rows, size, columns, gradients, key_block, 1, keys_by_row, 0, panels, 0,
          query_gradient + start * size, size, true);
    }
  }
}
