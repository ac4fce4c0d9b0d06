#include "include/ShortAttention.h"

#include "ScalarMath.h"
#include "Vectors.h"

enum {
  query_block = 16,
  key_limit = attune_short_attention_key_limit,
  size_limit = attune_short_attention_size_limit,
};

static const float log2_e = 1.44269504f, ln_2 = 0.69314718f;

/// One head's rows; a row is `stride` elements from the next.
typedef struct {
  long queries, keys, size, stride;
  const float *query, *key, *value;
  float scale;
  bool is_causal;
} short_head;

static long first_element(
    const attune_short_attention_heads *heads, long index, long token_count) {
  const long width = heads->head_count * heads->head_size;
  return index / heads->head_count * token_count * width +
         index % heads->head_count * heads->head_size;
}

static short_head head_at(const attune_short_attention_heads *heads, long index) {
  const long query = first_element(heads, index, heads->query_count);
  const long key = first_element(heads, index, heads->key_count);
  return (short_head){
      heads->query_count, heads->key_count, heads->head_size, heads->head_count * heads->head_size,
      heads->query + query, heads->key + key, heads->value + key, heads->scale,
      heads->is_causal};
}

#define VARIANT_SOURCE "ShortAttention.inc"
#include "ForEachVariant.h"

void attune_short_attention(
    const attune_short_attention_heads *heads, long first, long count, float *result,
    float *log_sums) {
  CALL_VARIANT(short_attention, heads, first, count, result, log_sums);
}

void attune_short_attention_backward(
    const attune_short_attention_heads *heads, long first, long count, const float *result,
    const float *log_sums, const float *upstream, float *query_gradient, float *key_gradient,
    float *value_gradient) {
  CALL_VARIANT(
      short_attention_backward, heads, first, count, result, log_sums, upstream, query_gradient,
      key_gradient, value_gradient);
}
