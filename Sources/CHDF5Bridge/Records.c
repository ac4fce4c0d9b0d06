#include "Records.h"

#include <string.h>

#include "Worker.h"

void attune_put_bytes(Records *records, const void *bytes, size_t count) {
  if (count > records->capacity - records->count)
    attune_refuse("holds more names, attributes or texts than Attune reads");
  memcpy(records->bytes + records->count, bytes, count);
  records->count += count;
}

void attune_put_byte(Records *records, uint8_t value) { attune_put_bytes(records, &value, 1); }

void attune_put_count(Records *records, uint32_t value) {
  attune_put_bytes(records, &value, sizeof value);
}

void attune_put_integer(Records *records, uint64_t value) {
  attune_put_bytes(records, &value, sizeof value);
}

void attune_put_text(Records *records, const char *text) {
  attune_put_bounded_text(records, text, UINT32_MAX);
}

void attune_put_bounded_text(Records *records, const char *text, size_t most) {
  const size_t count = strnlen(text, most);
  attune_put_count(records, (uint32_t)count);
  attune_put_bytes(records, text, count);
}
