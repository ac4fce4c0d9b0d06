// Softmax, layer and group normalization, forward and backward.
#pragma once

#include <stdbool.h>

/// result[rows, columns] = softmax of each row.
void attune_softmax(long rows, long columns, const float *x, float *result);

/// result = y (upstream - sum(upstream y)), where y is the softmax.
void attune_softmax_backward(
    long rows, long columns, const float *y, const float *upstream, float *result);

/// result[rows, columns] = log of the softmax of each row.
void attune_log_softmax(long rows, long columns, const float *x, float *result);

/// result = upstream - exp(y) sum(upstream), where y is the logarithm of the softmax.
void attune_log_softmax_backward(
    long rows, long columns, const float *y, const float *upstream, float *result);

/// Normalizes each row to mean 0 and variance 1, then scales and shifts by column.
/// `weight` and `bias` may be null. Keeps each row's mean and 1/std for the backward pass.
void attune_layer_norm(
    long rows, long columns, const float *x, const float *weight, const float *bias,
    float epsilon, float *means, float *inverse_stds, float *result);

/// x_gradient from the result's gradient; adds to weight_gradient and bias_gradient unless null.
void attune_layer_norm_backward(
    long rows, long columns, const float *x, const float *weight, const float *means,
    const float *inverse_stds, const float *upstream, float *x_gradient,
    float *weight_gradient, float *bias_gradient);

/// Normalizes one item `[positions, channels]` (channels last) by groups of channels, then scales
/// and shifts by channel; `applies_silu` applies x sigmoid(x) to the result. Keeps each group's
/// mean and 1/std for the backward pass.
void attune_group_norm(
    long positions, long channels, long groups, const float *x, const float *weight,
    const float *bias, float epsilon, bool applies_silu, float *means,
    float *inverse_stds, float *result);

/// x_gradient from the result's gradient, for one item; adds to weight_gradient and bias_gradient.
void attune_group_norm_backward(
    long positions, long channels, long groups, const float *x, const float *weight,
    const float *bias, const float *means, const float *inverse_stds, bool applies_silu,
    const float *upstream, float *x_gradient, float *weight_gradient, float *bias_gradient);
