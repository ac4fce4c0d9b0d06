#include "include/Pooling.h"

#include <math.h>
#include <stddef.h>

void attune_max_pool_row(
    const attune_convolution *sizes, long row, const float *image, float *result, int *places) {
  const attune_convolution s = *sizes;
  for (long column = 0; column < s.out_width; column++) {
    float *greatest = result + column * s.channels;
    int *place = places == NULL ? NULL : places + column * s.channels;
    for (long c = 0; c < s.channels; c++) greatest[c] = -INFINITY;
    for (long ky = 0; ky < s.kernel_height; ky++) {
      const long y = row * s.stride_height - s.padding_height + ky;
      if (y < 0 || y >= s.height) continue;
      for (long kx = 0; kx < s.kernel_width; kx++) {
        const long x = column * s.stride_width - s.padding_width + kx;
        if (x < 0 || x >= s.width) continue;
        const long pixel = y * s.width + x;
        const float *element = image + pixel * s.channels;
        for (long c = 0; c < s.channels; c++) {
          // What is no number is the greatest, so that it is not lost.
          if (element[c] > greatest[c] || element[c] != element[c]) {
            greatest[c] = element[c];
            if (place != NULL) place[c] = (int)pixel;
          }
        }
      }
    }
  }
}
