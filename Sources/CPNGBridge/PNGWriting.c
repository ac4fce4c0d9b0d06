#include <stdlib.h>
#include <string.h>

#include "PNGMessages.h"

typedef struct {
  uint8_t *bytes;
  size_t count;
  size_t capacity;
} growing_buffer;

static void append_bytes(png_structp png, png_bytep source, size_t count) {
  growing_buffer *buffer = png_get_io_ptr(png);
  if (count > buffer->capacity - buffer->count) {
    size_t capacity = (buffer->count + count) * 2;
    uint8_t *bytes = realloc(buffer->bytes, capacity);
    if (bytes == NULL) png_error(png, "out of memory");
    buffer->bytes = bytes;
    buffer->capacity = capacity;
  }
  memcpy(buffer->bytes + buffer->count, source, count);
  buffer->count += count;
}

static void flush_nothing(png_structp png) { (void)png; }

static int write_image(
    png_structp png, png_infop info, growing_buffer *buffer, const uint8_t *pixels,
    uint32_t width, uint32_t height, int channel_count) {
  int color_type = channel_count == 1 ? PNG_COLOR_TYPE_GRAY
      : channel_count == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_RGBA;
  if (setjmp(png_jmpbuf(png))) return 0;
  png_set_write_fn(png, buffer, append_bytes, flush_nothing);
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_IHDR(
      png, info, width, height, 8, color_type, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
      PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (size_t y = 0; y < height; y++) {
    png_write_row(png, pixels + y * (size_t)width * (size_t)channel_count);
  }
  png_write_end(png, info);
  return 1;
}

uint8_t *attune_png_encode(
    const uint8_t *pixels, uint32_t width, uint32_t height, int channel_count, size_t *byte_count,
    char message[ATTUNE_PNG_MESSAGE_SIZE]) {
  snprintf(message, ATTUNE_PNG_MESSAGE_SIZE, "out of memory");
  growing_buffer buffer = {0};
  png_structp png = png_create_write_struct(
      PNG_LIBPNG_VER_STRING, message, attune_png_fail, attune_png_ignore_warning);
  png_infop info = png == NULL ? NULL : png_create_info_struct(png);
  int succeeded = info != NULL
      && write_image(png, info, &buffer, pixels, width, height, channel_count);
  png_destroy_write_struct(&png, &info);
  if (!succeeded) {
    free(buffer.bytes);
    return NULL;
  }
  *byte_count = buffer.count;
  return buffer.bytes;
}
