// Scaled dot-product attention to a few keys, such as the frames of a clip: a small head's keys lie
// side by side in the lanes of a vector, and nothing is cut into blocks.
#pragma once

#include <stdbool.h>

enum {
  attune_short_attention_key_limit = 8,
  attune_short_attention_size_limit = 32,
};

/// All heads of an attention, in tensors `[items, tokens, head_count * head_size]`.
typedef struct {
  long query_count, key_count, head_count, head_size;
  const float *query, *key, *value;
  float scale;
  /// Token i then sees keys 0 ... i only.
  bool is_causal;
} attune_short_attention_heads;

/// The results of heads [first, first + count), counted through the items, laid out as the queries,
/// and the logarithms of their rows' sums of exponentials, `[heads, query_count]`, unless null.
void attune_short_attention(
    const attune_short_attention_heads *heads, long first, long count, float *result,
    float *log_sums);

/// The gradients at queries, keys and values of heads [first, first + count), laid out as these are,
/// given those at the result.
void attune_short_attention_backward(
    const attune_short_attention_heads *heads, long first, long count, const float *result,
    const float *log_sums, const float *upstream, float *query_gradient, float *key_gradient,
    float *value_gradient);
