#include "include/Normalizations.h"

#include <math.h>
#include <stdlib.h>

#include "ScalarMath.h"

enum { lane_count = 16 };

/// Reduces a row in `lane_count` lanes: `update` uses `lane` and the element's index `j`.
#define LANES(initial, update, combine, result) \
  float lanes[lane_count]; \
  for (long q = 0; q < lane_count; q++) lanes[q] = initial; \
  { \
    long start = 0; \
    for (; start + lane_count <= columns; start += lane_count) \
      for (long q = 0; q < lane_count; q++) { \
        const long j = start + q; \
        const float lane = lanes[q]; \
        lanes[q] = update; \
      } \
    for (long q = 0; start < columns; start++, q++) { \
      const long j = start; \
      const float lane = lanes[q]; \
      lanes[q] = update; \
    } \
  } \
  for (long width = lane_count / 2; width > 0; width /= 2) \
    for (long q = 0; q < width; q++) { \
      const float a = lanes[q], b = lanes[q + width]; \
      lanes[q] = combine; \
    } \
  result = lanes[0]

ALWAYS_INLINE float row_maximum(long columns, const float *x) {
  float greatest;
  LANES(x[0], x[j] > lane ? x[j] : lane, a > b ? a : b, greatest);
  return greatest;
}

ALWAYS_INLINE float row_sum(long columns, const float *x) {
  float sum;
  LANES(0.0f, lane + x[j], a + b, sum);
  return sum;
}

ALWAYS_INLINE float row_dot(long columns, const float *x, const float *y) {
  float sum;
  LANES(0.0f, lane + x[j] * y[j], a + b, sum);
  return sum;
}

/// The sum of squared distances from `mean`.
ALWAYS_INLINE float row_spread(long columns, const float *x, float mean) {
  float sum;
  LANES(0.0f, lane + (x[j] - mean) * (x[j] - mean), a + b, sum);
  return sum;
}

AUTO_VECTORIZED
void attune_softmax(long rows, long columns, const float *x, float *result) {
  for (long i = 0; i < rows; i++, x += columns, result += columns) {
    const float greatest = row_maximum(columns, x);
    for (long j = 0; j < columns; j++) result[j] = exp_of(x[j] - greatest);
    const float scale = 1.0f / row_sum(columns, result);
    for (long j = 0; j < columns; j++) result[j] *= scale;
  }
}

AUTO_VECTORIZED
void attune_softmax_backward(
    long rows, long columns, const float *y, const float *upstream, float *result) {
  for (long i = 0; i < rows; i++, y += columns, upstream += columns, result += columns) {
    const float dot = row_dot(columns, y, upstream);
    for (long j = 0; j < columns; j++) result[j] = y[j] * (upstream[j] - dot);
  }
}

AUTO_VECTORIZED
void attune_log_softmax(long rows, long columns, const float *x, float *result) {
  for (long i = 0; i < rows; i++, x += columns, result += columns) {
    const float greatest = row_maximum(columns, x);
    float sum;
    LANES(0.0f, lane + exp_of(x[j] - greatest), a + b, sum);
    const float shift = greatest + log_of(sum);
    for (long j = 0; j < columns; j++) result[j] = x[j] - shift;
  }
}

AUTO_VECTORIZED
void attune_log_softmax_backward(
    long rows, long columns, const float *y, const float *upstream, float *result) {
  for (long i = 0; i < rows; i++, y += columns, upstream += columns, result += columns) {
    const float sum = row_sum(columns, upstream);
    for (long j = 0; j < columns; j++) result[j] = upstream[j] - exp_of(y[j]) * sum;
  }
}

AUTO_VECTORIZED
void attune_layer_norm(
    long rows, long columns, const float *x, const float *weight, const float *bias,
    float epsilon, float *means, float *inverse_stds, float *result) {
  for (long i = 0; i < rows; i++, x += columns, result += columns) {
    const float mean = row_sum(columns, x) / (float)columns;
    const float variance = row_spread(columns, x, mean) / (float)columns;
    const float inverse = 1.0f / __builtin_elementwise_sqrt(variance + epsilon);
    means[i] = mean;
    inverse_stds[i] = inverse;
    if (weight && bias)
      for (long j = 0; j < columns; j++)
        result[j] = (x[j] - mean) * inverse * weight[j] + bias[j];
    else
      for (long j = 0; j < columns; j++)
        result[j] = (x[j] - mean) * inverse * (weight ? weight[j] : 1) + (bias ? bias[j] : 0);
  }
}

AUTO_VECTORIZED
void attune_layer_norm_backward(
    long rows, long columns, const float *x, const float *weight, const float *means,
    const float *inverse_stds, const float *upstream, float *x_gradient,
    float *weight_gradient, float *bias_gradient) {
  for (long i = 0; i < rows; i++, x += columns, upstream += columns, x_gradient += columns) {
    const float mean = means[i], inverse = inverse_stds[i];
    // With xhat = (x - mean) inverse and g = upstream weight:
    // dx = inverse (g - mean(g) - xhat mean(g xhat)).
    for (long j = 0; j < columns; j++)
      x_gradient[j] = weight ? upstream[j] * weight[j] : upstream[j];
    const float sum = row_sum(columns, x_gradient) / (float)columns;
    float dot;
    LANES(0.0f, lane + x_gradient[j] * (x[j] - mean), a + b, dot);
    dot *= inverse * inverse / (float)columns;
    for (long j = 0; j < columns; j++)
      x_gradient[j] = inverse * (x_gradient[j] - sum - (x[j] - mean) * dot);
    if (weight_gradient)
      for (long j = 0; j < columns; j++)
        weight_gradient[j] += upstream[j] * (x[j] - mean) * inverse;
    if (bias_gradient)
      for (long j = 0; j < columns; j++) bias_gradient[j] += upstream[j];
  }
}

/// Folds sums by channel into one for each group.
ALWAYS_INLINE double group_total(const double *by_channel, long first, long width) {
  double total = 0;
  for (long j = first; j < first + width; j++) total += by_channel[j];
  return total;
}

enum { position_block = 64, channel_block = 128 };

/// totals[channels] = sum over positions of an expression in `j` (channel) and `row`-like pointers.
#define CHANNEL_TOTALS(totals, setup, expression) \
  for (long first = 0; first < channels; first += channel_block) { \
    const long width = channels - first < channel_block ? channels - first : channel_block; \
    for (long q = 0; q < width; q++) totals[first + q] = 0; \
    for (long start = 0; start < positions; start += position_block) { \
      const long end = positions - start < position_block ? positions : start + position_block; \
      float block[channel_block] = {0}; \
      for (long i = start; i < end; i++) { \
        setup; \
        for (long q = 0; q < width; q++) { \
          const long j = first + q; \
          block[q] += expression; \
        } \
      } \
      for (long q = 0; q < width; q++) totals[first + q] += block[q]; \
    } \
  }

/// Spreads group statistics to channels as y = x scale + shift.
ALWAYS_INLINE void channel_scales(
    long channels, long groups, const float *weight, const float *bias, const float *means,
    const float *inverse_stds, float *scales, float *shifts) {
  const long width = channels / groups;
  for (long g = 0; g < groups; g++)
    for (long j = g * width; j < (g + 1) * width; j++) {
      const float scale = inverse_stds[g] * (weight ? weight[j] : 1.0f);
      scales[j] = scale;
      shifts[j] = (bias ? bias[j] : 0.0f) - means[g] * scale;
    }
}

AUTO_VECTORIZED
static void narrow_totals(
    long positions, long channels, const float *x, const float *centers, double *totals) {
  if (centers)
    CHANNEL_TOTALS(
        totals, const float *row = x + i * channels,
        (row[j] - centers[j]) * (row[j] - centers[j]))
  else
    CHANNEL_TOTALS(totals, const float *row = x + i * channels, row[j])
}

AUTO_VECTORIZED
static void scale_narrow_channels(
    long positions, long channels, const float *x, const float *scales, const float *shifts,
    bool applies_silu, float *result) {
  for (long i = 0; i < positions; i++, x += channels, result += channels)
    for (long j = 0; j < channels; j++) {
      const float y = x[j] * scales[j] + shifts[j];
      result[j] = applies_silu ? y * sigmoid_of(y) : y;
    }
}

#define VARIANT_SOURCE "Normalizations.inc"
#include "ForEachVariant.h"

static void channel_totals(
    long positions, long channels, const float *x, const float *centers, double *totals) {
  if (channels < 16)
    narrow_totals(positions, channels, x, centers, totals);
  else
    CALL_VARIANT(channel_totals, positions, channels, x, centers, totals);
}

void attune_group_norm(
    long positions, long channels, long groups, const float *x, const float *weight,
    const float *bias, float epsilon, bool applies_silu, float *means,
    float *inverse_stds, float *result) {
  const long width = channels / groups;
  const double count = (double)positions * (double)width;
  double *const totals = malloc((size_t)channels * (sizeof(double) + 3 * sizeof(float)));
  float *const scales = (float *)(totals + channels);
  float *const shifts = scales + channels, *const centers = shifts + channels;
  channel_totals(positions, channels, x, 0, totals);
  for (long g = 0; g < groups; g++) {
    means[g] = (float)(group_total(totals, g * width, width) / count);
    for (long j = g * width; j < (g + 1) * width; j++) centers[j] = means[g];
  }
  channel_totals(positions, channels, x, centers, totals);
  for (long g = 0; g < groups; g++) {
    const double variance = group_total(totals, g * width, width) / count;
    inverse_stds[g] = (float)(1.0 / __builtin_sqrt(variance + epsilon));
  }
  channel_scales(
      channels, groups, weight, bias, means, inverse_stds, scales, shifts);
  if (channels < 16)
    scale_narrow_channels(
        positions, channels, x, scales, shifts, applies_silu, result);
  else
    CALL_VARIANT(
        scale_channels, positions, channels, x, scales, shifts, applies_silu, result);
  free(totals);
}

/// The gradient at the normalization's result, before the optional activation.
ALWAYS_INLINE float before_silu(float upstream, float y, bool applies_silu) {
  const float s = sigmoid_of(y);
  return applies_silu ? upstream * (s + y * s * (1.0f - s)) : upstream;
}

AUTO_VECTORIZED
void attune_group_norm_backward(
    long positions, long channels, long groups, const float *x, const float *weight,
    const float *bias, const float *means, const float *inverse_stds, bool applies_silu,
    const float *upstream, float *x_gradient, float *weight_gradient, float *bias_gradient) {
  const long width = channels / groups;
  const float count = (float)positions * (float)width;
  double *const sums = malloc((size_t)channels * (2 * sizeof(double) + 4 * sizeof(float)));
  double *const dots = sums + channels;
  float *const scales = (float *)(dots + channels);
  float *const shifts = scales + channels;
  float *const slopes = shifts + channels, *const offsets = slopes + channels;
  channel_scales(
      channels, groups, weight, bias, means, inverse_stds, scales, shifts);
  for (long i = 0; i < positions; i++) {
    const float *row = x + i * channels, *up = upstream + i * channels;
    float *out = x_gradient + i * channels;
    if (applies_silu)
      for (long j = 0; j < channels; j++)
        out[j] = before_silu(up[j], row[j] * scales[j] + shifts[j], true);
    else
      memcpy(out, up, (size_t)channels * sizeof(float));
  }
  CHANNEL_TOTALS(sums, const float *row = x_gradient + i * channels, row[j]);
  CHANNEL_TOTALS(
      dots, const float *row = x_gradient + i * channels; const float *in = x + i * channels,
      row[j] * in[j]);
  for (long g = 0; g < groups; g++) {
    const float mean = means[g], inverse = inverse_stds[g];
    // As for a layer norm, with sums over the group; dots become those with x - mean.
    double sum = 0, dot = 0;
    for (long j = g * width; j < (g + 1) * width; j++) {
      dots[j] -= mean * sums[j];
      sum += sums[j] * (weight ? weight[j] : 1.0f);
      dot += dots[j] * (weight ? weight[j] : 1.0f);
    }
    const float slope = -inverse * inverse * inverse * (float)dot / count;
    for (long j = g * width; j < (g + 1) * width; j++) {
      slopes[j] = slope;
      offsets[j] = -inverse * (float)sum / count - slope * mean;
    }
    for (long j = g * width; j < (g + 1) * width; j++) {
      if (weight_gradient) weight_gradient[j] += (float)dots[j] * inverse;
      if (bias_gradient) bias_gradient[j] += (float)sums[j];
    }
  }
  for (long i = 0; i < positions; i++) {
    const float *row = x + i * channels;
    float *out = x_gradient + i * channels;
    for (long j = 0; j < channels; j++)
      out[j] = out[j] * scales[j] + (row[j] * slopes[j] + offsets[j]);
  }
  free(sums);
}
