// What the kernels share: the vector type and the attribute for plain loops.
#pragma once

#include <stdint.h>
#include <string.h>

/// Sixteen floats: one AVX-512 register, two AVX2 ones, four SSE or NEON ones.
typedef float vector16 __attribute__((ext_vector_type(16), aligned(4)));

/// Half as many: one AVX2 register.
typedef float vector8 __attribute__((ext_vector_type(8), aligned(4)));

/// Integers as wide as `vector16`.
typedef int32_t integers16 __attribute__((ext_vector_type(16), aligned(4)));

#define ALWAYS_INLINE static inline __attribute__((always_inline))

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define IS_SANITIZED_FOR_THREADS 1
#endif
#endif

/// Compiles a plain loop for several instruction sets and picks one when the program is loaded: before
/// the thread sanitizer's runtime is there, so that what picks would crash under it.
#if defined(__x86_64__) && !defined(IS_SANITIZED_FOR_THREADS)
#define AUTO_VECTORIZED \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define AUTO_VECTORIZED
#endif

/// Before a loop whose iterations touch only their own index, also where input and result are one
/// buffer: no checks for overlap.
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
