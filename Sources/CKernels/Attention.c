#include "include/Attention.h"

#include "ScalarMath.h"
#include "include/MatrixProducts.h"

enum {
  query_panel = 32,
  // Twelve tiles, or five steps of bfloat16: a panel of scores stays in the first-level cache.
  tiled_key_block = 168,
  stepped_key_block = 160,
  backward_key_block = 256,
};

static const float log2_e = 1.44269504f, ln_2 = 0.69314718f;

static long rounded_up(long count, long multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

static long minimum(long a, long b) { return a < b ? a : b; }

/// Where what one task needs lies in its scratch. The kernel of 32-bit floats reads keys and values
/// as they lie, and a panel of scores is what it would be packed as; the others have their own
/// arrangements.
typedef struct {
  float *keys, *values, *scores, *queries, *results, *maxima, *sums, *rows, *packed_scores;
  /// From a panel of queries to the next.
  long panel_size;
  /// All of it.
  long size;
} forward_scratch;

/// Room for so many floats. Offsets are multiples of a cache line, as bfloat16's arrangements want
/// them; without scratch, only sizes are counted.
static float *take(float *scratch, long *used, long floats) {
  const long offset = *used;
  *used += rounded_up(floats, 16);
  return scratch ? scratch + offset : 0;
}

/// Keys that are folded in at a time.
static long forward_key_block(attune_matrix_kernel kernel) {
  return kernel == attune_kernel_float32 ? tiled_key_block : stepped_key_block;
}

static forward_scratch forward_layout(
    attune_matrix_kernel kernel, long count, long size, float *scratch) {
  const bool is_plain = kernel == attune_kernel_float32;
  const long width = rounded_up(count, query_panel), block = forward_key_block(kernel);
  forward_scratch layout = {0};
  long used = 0;
  layout.keys =
      take(scratch, &used, is_plain ? block * size : attune_left_size(kernel, block, size));
  layout.values =
      take(scratch, &used, is_plain ? block * size : attune_left_size(kernel, size, block));
  layout.scores = take(scratch, &used, query_panel * block);
  layout.panel_size =
      is_plain ? query_panel * size : attune_packed_size(kernel, size, query_panel);
  layout.queries = take(scratch, &used, width / query_panel * layout.panel_size);
  layout.results = take(scratch, &used, width * size);
  layout.maxima = take(scratch, &used, width);
  layout.sums = take(scratch, &used, width);
  if (!is_plain) {
    layout.rows = take(scratch, &used, query_panel * size);
    layout.packed_scores =
        take(scratch, &used, attune_packed_size(kernel, block, query_panel));
  }
  layout.size = used;
  return layout;
}

long attune_attention_scratch_size(attune_matrix_kernel kernel, long count, long head_size) {
  return forward_layout(kernel, count, head_size, 0).size;
}

#define VARIANT_SOURCE "Attention.inc"
#include "ForEachVariant.h"

/// Fetches rows that will soon be in use: in a matrix of several heads they lie too far apart for
/// the processor to foresee.
static void prefetch_rows(long rows, long columns, const float *x, long stride) {
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < columns; j += 16) __builtin_prefetch(x + i * stride + j, 0, 2);
}

/// A panel of queries and what is known of their results, `[size][32]`, and of their softmax. Only
/// the first `columns` lanes, 16 or 32, are in use.
typedef struct {
  long size, columns;
  const float *queries;
  float *results, *maxima, *sums;
} panel_state;

/// Scores `[keys][32]` of a block of keys.
static void multiply_keys(
    attune_matrix_kernel kernel, const forward_scratch *scratch, const panel_state *panel,
    long count) {
  if (kernel == attune_kernel_float32)
    attune_matrix_product(
        kernel, count, panel->columns, panel->size, scratch->keys, panel->size, 1,
        panel->queries, 0, 1, 0, scratch->scores, query_panel, false);
  else
    attune_prepared_product(
        kernel, count, panel->columns, panel->size, scratch->keys, panel->queries, 0, 1,
        scratch->scores, query_panel, false);
}

/// Adds the values of a block of keys, weighted by scores, to the results.
static void add_values(
    attune_matrix_kernel kernel, const forward_scratch *scratch, const panel_state *panel,
    long count) {
  if (kernel == attune_kernel_float32) {
    attune_matrix_product(
        kernel, panel->size, panel->columns, count, scratch->values, 1, panel->size,
        scratch->scores, 0, 1, 0, panel->results, query_panel, true);
    return;
  }
  // Whole panels are packed fastest; what lies in lanes that are not in use does not matter.
  attune_pack_panels(
      kernel, count, 0, count, 0, query_panel, scratch->scores, query_panel, 1,
      scratch->packed_scores);
  attune_prepared_product(
      kernel, panel->size, panel->columns, count, scratch->values, scratch->packed_scores, 0, 1,
      panel->results, query_panel, true);
}

/// Folds a block of keys and values into a panel. Lane q sees keys up to `limit` + q if attention is
/// causal.
static void fold_keys(
    attune_matrix_kernel kernel, const forward_scratch *scratch, const panel_state *panel,
    long count, bool is_causal, long limit) {
  if (is_causal && limit + panel->columns <= 0) return;
  float *const scores = scratch->scores;
  multiply_keys(kernel, scratch, panel, count);
  for (long q = 0; q < panel->columns; q += 16) {
    if (is_causal) CALL_VARIANT(hide_later_keys, count, limit + q, scores + q);
    CALL_VARIANT(
        fold_scores, count, panel->size, scores + q, panel->maxima + q, panel->sums + q,
        panel->results + q);
  }
  add_values(kernel, scratch, panel, count);
}

/// Packs queries times `scale`, a panel at a time.
static void pack_queries(
    attune_matrix_kernel kernel, const attune_attention_head *head, long first, long count,
    float scale, const forward_scratch *scratch) {
  const long size = head->head_size, stride = head->query_stride;
  if (kernel == attune_kernel_float32) {
    attune_pack_panels(
        kernel, size, 0, size, first, count, head->query, 1, stride, scratch->queries);
    CALL_VARIANT(
        copy_scaled, 1, rounded_up(count, query_panel) * size, scratch->queries, 0, scale,
        scratch->queries);
    return;
  }
  for (long q = 0; q < count; q += query_panel) {
    const long queries = minimum(query_panel, count - q);
    CALL_VARIANT(
        copy_scaled, queries, size, head->query + (first + q) * stride, stride, scale,
        scratch->rows);
    attune_pack_panels(
        kernel, size, 0, size, 0, queries, scratch->rows, 1, size,
        scratch->queries + q / query_panel * scratch->panel_size);
  }
}

/// Copies or arranges a block of keys and values.
static void take_keys(
    attune_matrix_kernel kernel, const attune_attention_head *head, long first, long count,
    const forward_scratch *scratch) {
  const long size = head->head_size;
  const float *keys = head->key + first * head->key_stride;
  const float *values = head->value + first * head->value_stride;
  if (kernel == attune_kernel_float32) {
    CALL_VARIANT(copy_scaled, count, size, keys, head->key_stride, 1, scratch->keys);
    CALL_VARIANT(copy_scaled, count, size, values, head->value_stride, 1, scratch->values);
  } else {
    attune_prepare_left(kernel, count, size, keys, head->key_stride, 1, scratch->keys);
    attune_prepare_left(kernel, size, count, values, 1, head->value_stride, scratch->values);
  }
}

void attune_attention(
    const attune_attention_head *head, long first, long count, float *scratch, float *result,
    long result_stride, float *log_sums) {
  // Everything is transposed, with 32 queries side by side: scores [keys, 32] = keys x queries,
  // which is just the form of a packed panel, and results [size, 32] = values transposed x scores.
  // Maxima and sums are then those of lanes, and no head size needs padding.
  const attune_matrix_kernel kernel = head->kernel;
  const long size = head->head_size, width = rounded_up(count, query_panel);
  const long key_stride = head->key_stride, value_stride = head->value_stride;
  const forward_scratch layout = forward_layout(kernel, count, size, scratch);
  float *const results = layout.results;
  float *const maxima = layout.maxima, *const sums = layout.sums;
  const long key_block = forward_key_block(kernel);
  const long first_block = minimum(key_block, head->key_count);
  const float *first_query = head->query + first * head->query_stride;
  prefetch_rows(count, size, first_query, head->query_stride);
  prefetch_rows(first_block, size, head->key, key_stride);
  prefetch_rows(first_block, size, head->value, value_stride);
  prefetch_rows(count, size, result + first * result_stride, result_stride);
  pack_queries(kernel, head, first, count, head->scale * log2_e, &layout);
  memset(results, 0, width * size * sizeof(float));
  for (long q = 0; q < width; q++) {
    maxima[q] = -1e30f;
    sums[q] = 0;
  }
  const long end =
      head->is_causal ? minimum(head->key_count, first + count) : head->key_count;
  for (long key = 0; key < end; key += key_block) {
    const long block = minimum(key_block, end - key);
    take_keys(kernel, head, key, block, &layout);
    const float *next_key = head->key + (key + block) * key_stride;
    const float *next_value = head->value + (key + block) * value_stride;
    const long next_block = minimum(key_block, end - key - block);
    for (long q = 0; q < width; q += query_panel) {
      const long from = next_block * q / width, to = next_block * (q + query_panel) / width;
      prefetch_rows(to - from, size, next_key + from * key_stride, key_stride);
      prefetch_rows(to - from, size, next_value + from * value_stride, value_stride);
      const panel_state panel = {
          size,
          count - q > 16 ? 32 : 16,
          layout.queries + q / query_panel * layout.panel_size,
          results + q * size,
          maxima + q,
          sums + q,
      };
      fold_keys(kernel, &layout, &panel, block, head->is_causal, first + q - key);
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

/// Floats of the operands that the backward pass packs, each a multiple of a cache line.
typedef struct {
  /// Keys, or values, of a block as columns; keys as rows; queries, or upstream, of a block as rows.
  long columns, key_rows, query_rows;
} backward_sizes;

static backward_sizes packed_sizes(attune_matrix_kernel kernel, long size) {
  return (backward_sizes){
      rounded_up(attune_packed_size(kernel, size, backward_key_block), 16),
      rounded_up(attune_packed_size(kernel, backward_key_block, size), 16),
      rounded_up(attune_packed_size(kernel, backward_query_block, size), 16),
  };
}

long attune_attention_backward_scratch_size(attune_matrix_kernel kernel, long head_size) {
  // For a block of queries besides: scores and their gradients, scaled queries, corrections.
  const backward_sizes packed = packed_sizes(kernel, head_size);
  return 2 * packed.columns + packed.key_rows + 2 * packed.query_rows +
         backward_query_block * (2 * backward_key_block + head_size + 1);
}

void attune_attention_backward(
    const attune_attention_head *head, const float *result, long result_stride,
    const float *log_sums, const float *upstream, long upstream_stride, float *scratch,
    float *query_gradient, float *key_gradient, float *value_gradient) {
  const attune_matrix_kernel kernel = head->kernel;
  const long size = head->head_size, panels = rounded_up(size, 32) / 32;
  const backward_sizes packed = packed_sizes(kernel, size);
  float *const keys_by_column = scratch;
  float *const values_by_column = keys_by_column + packed.columns;
  float *const keys_by_row = values_by_column + packed.columns;
  float *const packed_queries = keys_by_row + packed.key_rows;
  float *const packed_upstream = packed_queries + packed.query_rows;
  float *const probabilities = packed_upstream + packed.query_rows;
  float *const gradients = probabilities + backward_query_block * backward_key_block;
  float *const queries = gradients + backward_query_block * backward_key_block;
  float *const corrections = queries + backward_query_block * size;
  for (long key = 0; key < head->key_count; key += backward_key_block) {
    const long columns = minimum(backward_key_block, head->key_count - key);
    const long key_panels = rounded_up(columns, 32) / 32;
    const float *keys = head->key + key * head->key_stride;
    attune_pack_panels(
        kernel, size, 0, size, 0, columns, keys, 1, head->key_stride, keys_by_column);
    attune_pack_panels(
        kernel, columns, 0, columns, 0, size, keys, head->key_stride, 1, keys_by_row);
    attune_pack_panels(
        kernel, size, 0, size, 0, columns, head->value + key * head->value_stride, 1,
        head->value_stride, values_by_column);
    long start = head->is_causal ? key / backward_query_block * backward_query_block : 0;
    for (; start < head->query_count; start += backward_query_block) {
      const long rows = minimum(backward_query_block, head->query_count - start);
      const float *query = head->query + start * head->query_stride;
      const float *up = upstream + start * upstream_stride;
      CALL_VARIANT(
          copy_scaled, rows, size, query, head->query_stride, head->scale, queries);
      attune_pack_panels(
          kernel, rows, 0, rows, 0, size, query, head->query_stride, 1, packed_queries);
      attune_pack_panels(
          kernel, rows, 0, rows, 0, size, up, upstream_stride, 1, packed_upstream);
      CALL_VARIANT(
          row_dots, rows, size, up, upstream_stride, result + start * result_stride,
          result_stride, corrections);
      attune_matrix_product(
          kernel, rows, key_panels * 32, size, queries, size, 1, keys_by_column, 0, key_panels, 0,
          probabilities, backward_key_block, false);
      CALL_VARIANT(
          restore_probabilities, rows, columns, head->is_causal, start - key,
          log_sums + start, probabilities);
      attune_matrix_product(
          kernel, columns, size, rows, probabilities, 1, backward_key_block, packed_upstream, 0, panels, 0,
          value_gradient + key * size, size, true);
      attune_matrix_product(
          kernel, rows, key_panels * 32, size, up, upstream_stride, 1, values_by_column, 0,
          key_panels, 0, gradients, backward_key_block, false);
      CALL_VARIANT(
          score_gradients, rows, columns, probabilities, corrections, head->scale, gradients);
      attune_matrix_product(
          kernel, columns, size, rows, gradients, 1, backward_key_block, packed_queries, 0, panels, 0,
          key_gradient + key * size, size, true);
      attune_matrix_product(
          kernel, rows, size, columns, gradients, backward_key_block, 1, keys_by_row, 0, panels, 0,
          query_gradient + start * size, size, true);
    }
  }
}
