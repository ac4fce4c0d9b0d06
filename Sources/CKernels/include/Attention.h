// Scaled dot-product attention for one head, in blocks: the matrix of scores never exists as a
// whole (Dao et al., arXiv:2205.14135; Rabe and Staats, arXiv:2112.05682).
#pragma once

#include <stdbool.h>

#include "MatrixProducts.h"

/// One head's operands as they lie in memory; a stride is the distance between tokens.
typedef struct {
  /// What both products run on; the softmax between them is in 32-bit floats always.
  attune_matrix_kernel kernel;
  long query_count, key_count, head_size;
  const float *query, *key, *value;
  long query_stride, key_stride, value_stride;
  float scale;
  /// Token i then sees keys 0 ... i only.
  bool is_causal;
} attune_attention_head;

/// Floats of scratch that `attune_attention` needs for `count` queries.
long attune_attention_scratch_size(attune_matrix_kernel kernel, long count, long head_size);

/// result[query, head_size] for queries [first, first + count), and the logarithm of each row's
/// sum of exponentials unless `log_sums` is null.
void attune_attention(
    const attune_attention_head *head, long first, long count, float *scratch, float *result,
    long result_stride, float *log_sums);

/// Floats of scratch that `attune_attention_backward` needs, for any number of tokens.
long attune_attention_backward_scratch_size(attune_matrix_kernel kernel, long head_size);

/// Adds the gradients at a head's query, key and value, given those at its result.
void attune_attention_backward(
    const attune_attention_head *head, const float *result, long result_stride,
    const float *log_sums, const float *upstream, long upstream_stride, float *scratch,
    float *query_gradient, float *key_gradient, float *value_gradient);
