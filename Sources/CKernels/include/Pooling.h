// Reductions over windows of images with channels last.
#pragma once

#include "Convolutions.h"

/// result[out_width, channels] of one row of windows: the greatest element of each, without what
/// lies outside of the image `[height, width, channels]`. `places` gets the pixels where they lie,
/// the first of equal ones, unless it is null.
void attune_max_pool_row(
    const attune_convolution *sizes, long row, const float *image, float *result, int *places);
