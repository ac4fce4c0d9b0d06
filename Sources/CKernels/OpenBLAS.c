#define _GNU_SOURCE
#include "include/OpenBLAS.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>

#include "OpenBLASProducts.h"

// As cblas.h has them.
enum { row_major = 101, not_transposed = 111, transposed = 112 };

typedef void (*product_function)(
    int order, int transposes_left, int transposes_right, int rows, int columns, int inner,
    float scale, const float *left, int left_stride, const float *right, int right_stride,
    float result_scale, float *result, int result_stride);

static pthread_once_t load_once = PTHREAD_ONCE_INIT;
static product_function multiply;
static const char *description;

static void load(void) {
  void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!library) library = dlopen("libopenblas.so", RTLD_NOW | RTLD_LOCAL);
  if (!library) return;
  void (*set_thread_count)(int) = (void (*)(int))dlsym(library, "openblas_set_num_threads");
  char *(*configuration)(void) = (char *(*)(void))dlsym(library, "openblas_get_config");
  product_function found = (product_function)dlsym(library, "cblas_sgemm");
  if (!set_thread_count || !found) return;
  // Products run on the threads of the worker pool; the library's own stay asleep.
  set_thread_count(1);
  description = configuration ? configuration() : "OpenBLAS";
  multiply = found;
}

bool attune_openblas_is_available(void) {
  pthread_once(&load_once, load);
  return multiply != NULL;
}

const char *attune_openblas_description(void) { return description; }

bool openblas_multiply(
    long rows, long columns, long inner, const float *left, long row_stride, long column_stride,
    const float *right, long right_stride, float *result, long result_stride, bool accumulates) {
  const bool is_row_major = column_stride == 1 && row_stride >= inner;
  const bool is_transposed = !is_row_major && row_stride == 1 && column_stride >= rows;
  const long stride = is_row_major ? row_stride : column_stride;
  if (!is_row_major && !is_transposed) return false;
  if (rows > INT_MAX || inner > INT_MAX || stride > INT_MAX || result_stride > INT_MAX)
    return false;
  if (!attune_openblas_is_available()) return false;
  multiply(
      row_major, is_transposed ? transposed : not_transposed, not_transposed, (int)rows,
      (int)columns, (int)inner, 1, left, (int)stride, right, (int)right_stride,
      accumulates ? 1 : 0, result, (int)result_stride);
  return true;
}
