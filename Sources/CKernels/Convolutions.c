#include "include/Convolutions.h"

#include "Vectors.h"

#define VARIANT_SOURCE "Winograd.inc"
#include "ForEachVariant.h"

/// Calls `action` for every run of pixels that output position `index` shares with x.
#define FOR_EACH_KERNEL_ROW(...) \
  const attune_convolution s = *sizes; \
  const long patch_size = s.kernel_height * s.kernel_width * s.channels; \
  for (long index = first; index < first + count; index++, patches += patch_size) { \
    const long column = index % s.out_width, line = index / s.out_width; \
    const long row = line % s.out_height, item = line / s.out_height; \
    const long left = column * s.stride_width - s.padding_width; \
    const long top = row * s.stride_height - s.padding_height; \
    /* The kernel's columns that lie inside the image. */ \
    const long begin = left < 0 ? -left : 0; \
    const long end = s.width - left < s.kernel_width ? s.width - left : s.kernel_width; \
    for (long ky = 0; ky < s.kernel_height; ky++) { \
      const long y = top + ky; \
      const long run = ky * s.kernel_width * s.channels; \
      const bool is_inside = y >= 0 && y < s.height && begin < end; \
      const long pixel = ((item * s.height + y) * s.width + left + begin) * s.channels; \
      __VA_ARGS__ \
    } \
  }

void attune_gather_patches(
    const attune_convolution *sizes, long first, long count, const float *x, float *patches) {
  FOR_EACH_KERNEL_ROW({
    float *target = patches + run;
    const long row_size = s.kernel_width * s.channels;
    if (!is_inside) {
      memset(target, 0, row_size * sizeof(float));
    } else {
      const long before = begin * s.channels, after = end * s.channels;
      memset(target, 0, before * sizeof(float));
      memcpy(target + before, x + pixel, (after - before) * sizeof(float));
      memset(target + after, 0, (row_size - after) * sizeof(float));
    }
  })
}

AUTO_VECTORIZED
void attune_scatter_patches(
    const attune_convolution *sizes, long first, long count, const float *patches, float *x) {
  FOR_EACH_KERNEL_ROW({
    if (is_inside) {
      const float *source = patches + run + begin * s.channels;
      float *target = x + pixel;
      INDEPENDENT for (long i = 0; i < (end - begin) * s.channels; i++) target[i] += source[i];
    }
  })
}

void attune_winograd_weights(
    long in_count, long out_count, long first, long count, const float *weight, long in_stride,
    long out_stride, bool rotates, float *result) {
  CALL_VARIANT(
      winograd_weights, in_count, out_count, first, count, weight, in_stride, out_stride,
      rotates, result);
}

void attune_winograd_weight_gradient(
    long in_count, long out_count, long first, long count, const float *sums,
    float *weight_gradient) {
  CALL_VARIANT(
      winograd_weight_gradient, in_count, out_count, first, count, sums, weight_gradient);
}

void attune_winograd_input(
    long height, long width, long channels, long first, long count, const float *x,
    float *result, long position_stride) {
  CALL_VARIANT(
      winograd_input, height, width, channels, first, count, x, result, position_stride);
}

void attune_winograd_output(
    long height, long width, long channels, long first, long count, const float *products,
    long position_stride, const float *bias, float *y) {
  CALL_VARIANT(
      winograd_output, height, width, channels, first, count, products, position_stride, bias,
      y);
}

void attune_winograd_output_gradient(
    long height, long width, long channels, long first, long count, const float *upstream,
    long panel_rows, float *result, long position_stride) {
  CALL_VARIANT(
      winograd_output_gradient, height, width, channels, first, count, upstream, panel_rows,
      result, position_stride);
}
