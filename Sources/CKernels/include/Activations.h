// Functions of one element and their derivatives.
#pragma once

typedef enum {
  attune_unary_relu,
  attune_unary_mish,
  attune_unary_silu,
  attune_unary_gelu,
  attune_unary_gelu_tanh,
  attune_unary_gelu_quick,
  attune_unary_tanh,
  attune_unary_sigmoid,
  attune_unary_softplus,
  attune_unary_exp,
  attune_unary_log,
  attune_unary_sqrt,
  attune_unary_square,
  attune_unary_absolute,
} attune_unary_kind;

/// result = f(x)
void attune_unary(attune_unary_kind kind, long count, const float *x, float *result);

/// result = upstream f'(x), where y = f(x) is known. `y` may be null for functions whose derivative
/// is computed from x alone: all but tanh, sigmoid, exp and sqrt, for which x may be null.
void attune_unary_backward(
    attune_unary_kind kind, long count, const float *x, const float *y, const float *upstream,
    float *result);
