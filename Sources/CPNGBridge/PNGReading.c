#include <stdlib.h>
#include <string.h>

#include "PNGMessages.h"

struct attune_png_reader {
  png_structp png;
  png_infop info;
  const uint8_t *next;
  size_t remaining;
  attune_png_header header;
  char message[ATTUNE_PNG_MESSAGE_SIZE];
};

static void copy_bytes(png_structp png, png_bytep target, size_t count) {
  attune_png_reader *reader = png_get_io_ptr(png);
  if (count > reader->remaining) png_error(png, "the file ends too early");
  memcpy(target, reader->next, count);
  reader->next += count;
  reader->remaining -= count;
}

// Nothing that changes after setjmp is looked at after a longjmp: errors are read from the reader.
static int read_header(attune_png_reader *reader) {
  png_structp png = reader->png;
  png_infop info = reader->info;
  attune_png_header *header = &reader->header;
  if (setjmp(png_jmpbuf(png))) return 0;
  png_set_read_fn(png, reader, copy_bytes);
  // Sizes are checked by the caller, who can name the file.
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_read_info(png, info);

  int color_type = png_get_color_type(png, info);
  int has_alpha = (color_type & PNG_COLOR_MASK_ALPHA) || png_get_valid(png, info, PNG_INFO_tRNS);
  header->width = png_get_image_width(png, info);
  header->height = png_get_image_height(png, info);
  header->channel_count = has_alpha ? 4 : (color_type & PNG_COLOR_MASK_COLOR) ? 3 : 1;
  header->stored_row_size = png_get_rowbytes(png, info);
  return 1;
}

/// Asks for 8-bit grey, RGB or RGBA. No gamma is applied: the samples are those of the file, and
/// 16-bit samples keep their upper byte, as in Pillow.
static void choose_transformations(attune_png_reader *reader) {
  png_structp png = reader->png;
  png_infop info = reader->info;
  int color_type = png_get_color_type(png, info);
  png_set_expand(png);  // palettes, 1, 2 and 4 bits, transparent colors
  if (png_get_bit_depth(png, info) == 16) png_set_strip_16(png);
  if (reader->header.channel_count == 4 && !(color_type & PNG_COLOR_MASK_COLOR)) {
    png_set_gray_to_rgb(png);
  }
}

static int read_pixels(attune_png_reader *reader, uint8_t *pixels) {
  png_structp png = reader->png;
  size_t row_size = (size_t)reader->header.width * (size_t)reader->header.channel_count;
  if (setjmp(png_jmpbuf(png))) return 0;
  choose_transformations(reader);
  int pass_count = png_set_interlace_handling(png);
  png_read_update_info(png, reader->info);
  if (png_get_rowbytes(png, reader->info) != row_size) png_error(png, "its layout is unknown");

  for (int pass = 0; pass < pass_count; pass++) {
    for (size_t y = 0; y < reader->header.height; y++) {
      png_read_row(png, pixels + y * row_size, NULL);
    }
  }
  png_read_end(png, NULL);
  return 1;
}

attune_png_reader *attune_png_open(
    const uint8_t *bytes, size_t byte_count, attune_png_header *header,
    char message[ATTUNE_PNG_MESSAGE_SIZE]) {
  snprintf(message, ATTUNE_PNG_MESSAGE_SIZE, "out of memory");
  attune_png_reader *reader = calloc(1, sizeof *reader);
  if (reader == NULL) return NULL;
  memcpy(reader->message, message, ATTUNE_PNG_MESSAGE_SIZE);
  reader->next = bytes;
  reader->remaining = byte_count;
  reader->png = png_create_read_struct(
      PNG_LIBPNG_VER_STRING, reader->message, attune_png_fail, attune_png_ignore_warning);
  if (reader->png != NULL) reader->info = png_create_info_struct(reader->png);
  if (reader->info == NULL || !read_header(reader)) {
    memcpy(message, reader->message, ATTUNE_PNG_MESSAGE_SIZE);
    attune_png_close(reader);
    return NULL;
  }
  *header = reader->header;
  return reader;
}

int attune_png_read(
    attune_png_reader *reader, uint8_t *pixels, char message[ATTUNE_PNG_MESSAGE_SIZE]) {
  if (read_pixels(reader, pixels)) return 1;
  memcpy(message, reader->message, ATTUNE_PNG_MESSAGE_SIZE);
  return 0;
}

void attune_png_close(attune_png_reader *reader) {
  if (reader == NULL) return;
  png_destroy_read_struct(&reader->png, &reader->info, NULL);
  free(reader);
}

const char *attune_png_library_version(void) { return png_get_libpng_ver(NULL); }
