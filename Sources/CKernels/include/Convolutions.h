// The parts of a two-dimensional convolution with channels last: patches for the general case, and
// Winograd's F(4x4, 3x3) (Lavin and Gray, arXiv:1509.09308) for 3x3 kernels of stride 1.
#pragma once

#include <stdbool.h>

/// Sizes of a convolution from `[batch, height, width, channels]` to
/// `[batch, out_height, out_width, *]`.
typedef struct {
  long batch, height, width, channels;
  long out_height, out_width;
  long kernel_height, kernel_width;
  long stride_height, stride_width;
  long padding_height, padding_width;
} attune_convolution;

/// patches[count, kernel_height, kernel_width, channels]: what each output position from `first` on
/// sees of x, zeros outside. Positions count through the whole batch.
void attune_gather_patches(
    const attune_convolution *sizes, long first, long count, const float *x, float *patches);

/// The reverse: adds patches to the positions of x that they came from.
void attune_scatter_patches(
    const attune_convolution *sizes, long first, long count, const float *patches, float *x);

enum {
  /// A Winograd tile of 4x4 results is computed at 6x6 positions.
  attune_winograd_positions = 36,
  attune_winograd_tile = 4,
};

/// result[36][in][out] for inputs first ... from 3x3 kernels at
/// weight[o * out_stride + i * in_stride + 3 y + x]; `rotates` turns each kernel by half a circle,
/// as the gradient at the input needs. `out_count` is a multiple of 16, here and below.
void attune_winograd_weights(
    long in_count, long out_count, long first, long count, const float *weight, long in_stride,
    long out_stride, bool rotates, float *result);

/// result[position * position_stride + tile * channels + channel] for tiles first ... of a batch of
/// images `[height, width, channels]` padded by one pixel. Channels are a multiple of 16.
void attune_winograd_input(
    long height, long width, long channels, long first, long count, const float *x,
    float *result, long position_stride);

/// y `[height, width, channels]` (+ bias, unless null) from products laid out as above.
void attune_winograd_output(
    long height, long width, long channels, long first, long count, const float *products,
    long position_stride, const float *bias, float *y);

/// The reverse of the output transform for a weight's gradient, written as panels of 32 channels:
/// result[position * position_stride + (channel / 32) * panel_rows * 32 + tile * 32
///     + channel % 32]. `result` already points at the first tile's row.
void attune_winograd_output_gradient(
    long height, long width, long channels, long first, long count, const float *upstream,
    long panel_rows, float *result, long position_stride);

/// weight_gradient[out][in][3][3] for inputs first ... from sums[36][in][out].
void attune_winograd_weight_gradient(
    long in_count, long out_count, long first, long count, const float *sums,
    float *weight_gradient);
