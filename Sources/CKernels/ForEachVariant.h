// Includes VARIANT_SOURCE once for each instruction set that is worth its own code.
//
// The source names its functions VARIANT(name). Explicit vectors are used where the compiler's own
// vectorization of a plain loop (see `AUTO_VECTORIZED` in Vectors.h) does not keep values in
// registers. A matrix product keeps VARIANT_ROWS x VARIANT_VECTORS vectors of results in them: 28 of
// AVX-512's 32 registers, 12 of AVX2's 16. With one more, the compiler's spills halve the speed.

#define VARIANT_JOIN_(name, suffix) name##_##suffix
#define VARIANT_JOIN(name, suffix) VARIANT_JOIN_(name, suffix)
#define VARIANT(name) VARIANT_JOIN(name, VARIANT_SUFFIX)

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push( \
    __attribute__((target("arch=x86-64-v4"), min_vector_width(512))), apply_to = function)
#define VARIANT_SUFFIX v4
#define VARIANT_ROWS 14
#define VARIANT_VECTORS 2
#include VARIANT_SOURCE
#undef VARIANT_VECTORS
#undef VARIANT_ROWS
#undef VARIANT_SUFFIX
#pragma clang attribute pop

#pragma clang attribute push( \
    __attribute__((target("arch=x86-64-v3"))), apply_to = function)
#define VARIANT_SUFFIX v3
#define VARIANT_ROWS 6
#define VARIANT_VECTORS 1
#include VARIANT_SOURCE
#undef VARIANT_VECTORS
#undef VARIANT_ROWS
#undef VARIANT_SUFFIX
#pragma clang attribute pop

/// Calls the widest variant of `name` that this processor can run.
#define CALL_VARIANT(name, ...) \
  (__builtin_cpu_supports("x86-64-v4")   ? name##_v4(__VA_ARGS__) \
   : __builtin_cpu_supports("x86-64-v3") ? name##_v3(__VA_ARGS__) \
                                         : name##_baseline(__VA_ARGS__))
#else
#define CALL_VARIANT(name, ...) name##_baseline(__VA_ARGS__)
#endif

#define VARIANT_SUFFIX baseline
#define VARIANT_ROWS 2
#define VARIANT_VECTORS 2
#include VARIANT_SOURCE
#undef VARIANT_VECTORS
#undef VARIANT_ROWS
#undef VARIANT_SUFFIX
