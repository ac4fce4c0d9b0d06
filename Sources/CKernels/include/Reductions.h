// Sums and maxima. Sums go through blocks that are added in double precision, in a fixed order.
#pragma once

#include <stdint.h>

/// The sum of `count` elements.
double attune_sum(long count, const float *x);

/// The sum of products.
double attune_dot(long count, const float *x, const float *y);

/// result[outer, inner] = sum over the middle dimension of x[outer, reduced, inner].
void attune_sum_middle(
    long outer, long reduced, long inner, const float *x, float *result);

/// result[columns] (+)= sum over rows of x[rows, columns].
void attune_sum_rows(
    long rows, long columns, const float *x, float *result, int accumulates);

/// The greatest element of each row of x[rows, columns] and where it was; NaN counts as greatest.
void attune_maximum(
    long rows, long columns, const float *x, float *result, int32_t *positions);
