#ifndef RECORDS_H
#define RECORDS_H

#include <stddef.h>
#include <stdint.h>

/// The shared memory that a listing is written to. Ends the worker when it is full.
typedef struct {
  uint8_t *bytes;
  size_t capacity, count;
} Records;

void attune_put_bytes(Records *records, const void *bytes, size_t count);
void attune_put_byte(Records *records, uint8_t value);
void attune_put_count(Records *records, uint32_t value);
void attune_put_integer(Records *records, uint64_t value);
void attune_put_text(Records *records, const char *text);
/// A text that may not end with a zero byte.
void attune_put_bounded_text(Records *records, const char *text, size_t most);

#endif
