#include "ReducedProducts.h"

#include "include/Processors.h"

enum {
  /// Rows and inner indices of a left operand that are prepared at a time, 256 kB in two parts.
  block_row_count = 128,
  block_inner_count = 512,
};

/// A tile as its unit holds it.
typedef struct {
  uint32_t rows[tile_rows][16];
} emulated_tile;

static void load_tile(emulated_tile *tile, const void *elements, long pitch) {
  for (int i = 0; i < tile_rows; i++)
    memcpy(tile->rows[i], (const char *)elements + i * pitch, sizeof tile->rows[i]);
}

static void store_tile(const emulated_tile *tile, void *elements, long pitch) {
  for (int i = 0; i < tile_rows; i++)
    memcpy((char *)elements + i * pitch, tile->rows[i], sizeof tile->rows[i]);
}

#define VARIANT_SOURCE "EmulatedProducts.inc"
#include "ForEachVariant.h"

// MARK: Real instructions

#if defined(__x86_64__)
#define VARIANT_SUFFIX native
#define VARIANT_ROWS 14
#define VARIANT_HAS_BFLOAT16
#define KERNEL_PREPARE VARIANT(prepare_left)

#pragma clang attribute push( \
    __attribute__((target("arch=x86-64-v4,avx512bf16"), min_vector_width(512))), \
    apply_to = function)
#include "Bfloat16Operands.inc"

#define KERNEL(name) VARIANT(VARIANT_JOIN(dots, name))
#define DOT(sums, pair, pairs) \
  (*(sums) = (vector16)_mm512_dpbf16_ps( \
       (__m512)*(sums), (__m512bh)_mm512_set1_epi32((int)(pair)), (__m512bh)*(pairs)))
#include "DotProducts.inc"
#undef DOT
#undef KERNEL
#pragma clang attribute pop

#pragma clang attribute push( \
    __attribute__((target("arch=x86-64-v4,avx512bf16,amx-tile,amx-bf16"), \
                   min_vector_width(512))), \
    apply_to = function)

/// Whether this thread has told the tile unit the sizes of its tiles.
static _Thread_local bool has_tiles;

/// Eight tiles of 16 rows of 64 bytes.
static void configure_tiles(void) {
  if (has_tiles) return;
  struct __attribute__((packed)) {
    uint8_t palette, first_row, reserved[14];
    uint16_t row_sizes[16];
    uint8_t row_counts[16];
  } sizes = {.palette = 1};
  for (int tile = 0; tile < 8; tile++) {
    sizes.row_sizes[tile] = 64;
    sizes.row_counts[tile] = tile_rows;
  }
  _tile_loadconfig(&sizes);
  has_tiles = true;
}

static void release_tiles(void) {
  _tile_release();
  has_tiles = false;
}

#define KERNEL(name) VARIANT(VARIANT_JOIN(tiles, name))
#define TILE_STATE
#define TILE_LOAD(tile, elements, pitch) _tile_loadd(tile, elements, pitch)
#define TILE_STORE(tile, elements, pitch) _tile_stored(tile, elements, pitch)
#define TILE_ZERO(tile) _tile_zero(tile)
#define TILE_PRODUCT(sums, left, right) _tile_dpbf16ps(sums, left, right)
#include "TileProducts.inc"
#undef TILE_PRODUCT
#undef TILE_ZERO
#undef TILE_STORE
#undef TILE_LOAD
#undef TILE_STATE
#undef KERNEL
#pragma clang attribute pop

#undef KERNEL_PREPARE
#undef VARIANT_HAS_BFLOAT16
#undef VARIANT_ROWS
#undef VARIANT_SUFFIX
#endif

void attune_release_tiles(void) {
#if defined(__x86_64__)
  if (has_tiles) release_tiles();
#endif
}

// MARK: Choosing one

long reduced_parts(attune_matrix_kernel kernel) {
  switch (kernel) {
    case attune_kernel_tiles:
    case attune_kernel_dots:
    case attune_kernel_emulated_tiles:
    case attune_kernel_emulated_dots: return 1;
    case attune_kernel_split_tiles:
    case attune_kernel_emulated_split_tiles: return 2;
    case attune_kernel_float32:
    case attune_kernel_openblas: return 0;
  }
  return 0;
}

#if defined(__x86_64__)
static bool is_native(attune_matrix_kernel kernel) {
  return kernel == attune_kernel_tiles || kernel == attune_kernel_split_tiles ||
         kernel == attune_kernel_dots;
}
#endif

/// Packs some rows of a step whose other rows are packed by other calls.
static void pack_rows_of_step(
    long parts, long first, long count, long width, const float *matrix, long row_stride,
    long column_stride, bfloat16 *packed) {
  for (long row = first; row < first + count; row++, matrix += row_stride)
    for (long j = 0; j < 32; j++) {
      bfloat16 *target = packed + row / 2 * 64 + j * 2 + row % 2;
      const float x = j < width ? matrix[j * column_stride] : 0;
      if (parts == 2)
        split(x, target, target + right_step_size);
      else
        *target = rounded(x);
    }
}

/// Sets the rows of a step from one on to zero.
static void clear_rows_of_step(long parts, long first, bfloat16 *packed) {
  for (long row = first; row < step_inner; row++)
    for (long j = 0; j < 32; j++)
      for (long part = 0; part < parts; part++)
        packed[part * right_step_size + row / 2 * 64 + j * 2 + row % 2] = 0;
}

void reduced_pack(
    attune_matrix_kernel kernel, long inner, long first_row, long row_count, long column_count,
    const float *matrix, long row_stride, long column_stride, bfloat16 *packed) {
  const long parts = reduced_parts(kernel), steps = step_count(inner);
  const long end_row = first_row + row_count;
  for (long j = 0; j < column_count; j += 32, packed += steps * parts * right_step_size) {
    const float *corner = matrix + j * column_stride;
    const long width = column_count - j < 32 ? column_count - j : 32;
    for (long row = first_row; row < end_row;) {
      const long step = row / step_inner, start = step * step_inner;
      const long step_end = start + step_inner < inner ? start + step_inner : inner;
      const long end = end_row < step_end ? end_row : step_end;
      const float *source = corner + (row - first_row) * row_stride;
      bfloat16 *target = packed + step * parts * right_step_size;
      if (row == start && end == step_end) {
        CALL_VARIANT(
            pack_step, parts, end - row, width, source, row_stride, column_stride, target);
      } else {
        pack_rows_of_step(
            parts, row - start, end - row, width, source, row_stride, column_stride, target);
        if (end == inner) clear_rows_of_step(parts, inner - start, target);
      }
      row = end;
    }
  }
}

void reduced_prepare_left(
    attune_matrix_kernel kernel, long rows, long inner, const float *left, long row_stride,
    long column_stride, bfloat16 *prepared) {
  const long parts = reduced_parts(kernel);
#if defined(__x86_64__)
  if (is_native(kernel)) {
    prepare_left_native(parts, rows, inner, left, row_stride, column_stride, prepared);
    return;
  }
#endif
  CALL_VARIANT(prepare_left, parts, rows, inner, left, row_stride, column_stride, prepared);
}

void reduced_multiply(
    attune_matrix_kernel kernel, const reduced_product *product, long rows, const float *left,
    long row_stride, long column_stride, const float *bias) {
  switch (kernel) {
#if defined(__x86_64__)
    case attune_kernel_tiles:
    case attune_kernel_split_tiles:
      configure_tiles();
      tiles_product_native(product, rows, left, row_stride, column_stride, bias);
      return;
    case attune_kernel_dots:
      dots_product_native(product, rows, left, row_stride, column_stride, bias);
      return;
#endif
    case attune_kernel_emulated_dots:
      CALL_VARIANT(
          emulated_dots_product, product, rows, left, row_stride, column_stride, bias);
      return;
    default:
      CALL_VARIANT(
          emulated_tiles_product, product, rows, left, row_stride, column_stride, bias);
  }
}

void reduced_multiply_prepared(
    attune_matrix_kernel kernel, const reduced_product *product, long rows,
    const bfloat16 *prepared) {
  switch (kernel) {
#if defined(__x86_64__)
    case attune_kernel_tiles:
    case attune_kernel_split_tiles:
      configure_tiles();
      tiles_prepared_product_native(product, rows, prepared);
      return;
    case attune_kernel_dots: dots_prepared_product_native(product, rows, prepared); return;
#endif
    case attune_kernel_emulated_dots:
      CALL_VARIANT(emulated_dots_prepared_product, product, rows, prepared);
      return;
    default: CALL_VARIANT(emulated_tiles_prepared_product, product, rows, prepared);
  }
}
