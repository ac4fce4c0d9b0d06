// libpng reports errors by longjmp, which must not cross Swift frames. These functions catch it and
// return a message instead. All images are 8 bits a sample, interleaved, rows without padding.
#ifndef ATTUNE_CPNG_BRIDGE_H
#define ATTUNE_CPNG_BRIDGE_H

#include <stddef.h>
#include <stdint.h>

typedef struct attune_png_reader attune_png_reader;

/// What the header of a PNG says, and the samples a pixel that reading it will give (1, 3 or 4).
typedef struct {
  uint32_t width;
  uint32_t height;
  int channel_count;
  /// The size of a row inside the file, before any expansion, without its filter byte.
  size_t stored_row_size;
} attune_png_header;

enum { ATTUNE_PNG_MESSAGE_SIZE = 160 };

/// Reads everything before the pixels. Returns NULL and writes `message` on failure. The bytes must
/// outlive the reader.
attune_png_reader *attune_png_open(
    const uint8_t *bytes, size_t byte_count, attune_png_header *header,
    char message[ATTUNE_PNG_MESSAGE_SIZE]);

/// Reads all pixels, width * height * channel_count bytes, and the rest of the file. Returns 1, or
/// 0 with `message` written. Call it once.
int attune_png_read(
    attune_png_reader *reader, uint8_t *pixels, char message[ATTUNE_PNG_MESSAGE_SIZE]);

void attune_png_close(attune_png_reader *reader);

/// Encodes an image of 1, 3 or 4 samples a pixel. Returns a buffer for `free` and its size in
/// `byte_count`, or NULL with `message` written.
uint8_t *attune_png_encode(
    const uint8_t *pixels, uint32_t width, uint32_t height, int channel_count, size_t *byte_count,
    char message[ATTUNE_PNG_MESSAGE_SIZE]);

/// The version of libpng.
const char *attune_png_library_version(void);

#endif
