#include "include/Attention.h"

#include "ScalarMath.h"
#include "include/MatrixProducts.h"

enum {
  query_block = 56,  // four tiles of the matrix product
  key_block = 256,
};

static long rounded_up(long count, long multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

/// The columns of a block of results: padded so that the product never meets a ragged edge.
static long padded_head_size(long head_size) { return rounded_up(head_size, 16); }

/// Keys are packed by blocks of `key_block`, each as `[head_size]` x panels of keys; values likewise
/// as `[keys]` x panels of the head's elements.
static long key_block_size(long head_size) { return head_size * key_block; }
static long value_block_size(long head_size) { return key_block * rounded_up(head_size, 32); }

static long block_count(long key_count) { return rounded_up(key_count, key_block) / key_block; }

long attune_packed_keys_size(long key_count, long head_size) {
  return block_count(key_count) * (key_block_size(head_size) + value_block_size(head_size));
}

static long minimum(long a, long b) { return a < b ? a : b; }

void attune_pack_keys(const attune_attention_head *head, float *packed) {
  for (long first = 0; first < head->key_count; first += key_block) {
    const long keys = minimum(key_block, head->key_count - first);
    attune_pack_panels(
        head->head_size, first, keys, head->key, 1, head->key_stride, packed);
    packed += key_block_size(head->head_size);
    attune_pack_panels(
        keys, 0, head->head_size, head->value + first * head->value_stride,
        head->value_stride, 1, packed);
    packed += value_block_size(head->head_size);
  }
}

long attune_attention_scratch_size(long head_size) {
  return query_block * (head_size + key_block + padded_head_size(head_size) + 2);
}

#define VARIANT_SOURCE "Attention.inc"
#include "ForEachVariant.h"

void attune_attention(
    const attune_attention_head *head, const float *packed, long first, long count,
    float *scratch, float *result, long result_stride, float *log_sums) {
  const long size = head->head_size, padded = padded_head_size(size);
  float *const queries = scratch, *const scores = queries + query_block * size;
  float *const results = scores + query_block * key_block;
  float *const maxima = results + query_block * padded, *const sums = maxima + query_block;
  for (long start = first; start < first + count; start += query_block) {
    const long rows = minimum(query_block, first + count - start);
    CALL_VARIANT(
        copy_scaled, rows, size, head->query + start * head->query_stride, head->query_stride,
        head->scale, queries);
    memset(results, 0, rows * padded * sizeof(float));
    for (long i = 0; i < rows; i++) {
      maxima[i] = -__builtin_inff();
      sums[i] = 0;
    }
    const float *keys = packed;
    const long end =
        head->is_causal ? minimum(head->key_count, start + rows) : head->key_count;
    for (long key = 0; key < end; key += key_block) {
      const long columns = minimum(key_block, head->key_count - key);
      const float *values = keys + key_block_size(size);
      const long panels = rounded_up(columns, 32) / 32;
      attune_matrix_product(
          rows, panels * 32, size, queries, size, 1, keys, 0, panels, 0, scores, key_block,
          false);
      CALL_VARIANT(
          fold_scores, rows, columns, head->is_causal, start - key, scores, maxima, sums,
          results, padded);
      attune_matrix_product(
          rows, padded, columns, scores, key_block, 1, values, 0,
          rounded_up(size, 32) / 32, 0, results, padded, true);
      keys = values + value_block_size(size);
    }
    for (long i = 0; i < rows; i++) {
      CALL_VARIANT(
          copy_scaled, 1, size, results + i * padded, padded, 1.0f / sums[i],
          result + (start + i) * result_stride);
      if (log_sums) log_sums[start + i] = maxima[i] + log_of(sums[i]);
    }
  }
}

enum { backward_query_block = 112 };

long attune_attention_backward_scratch_size(long query_count, long key_count, long head_size) {
  (void)query_count;
  (void)key_count;
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
