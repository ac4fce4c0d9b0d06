#include "Attributes.h"

#include <stdlib.h>
#include <string.h>

#include "Worker.h"

/// Larger attributes are named, but not shown.
enum { most_element_count = 64, most_text_byte_count = 1 << 20 };

typedef struct {
  const char *path;
  Records *records;
} Owner;

void attune_put_shape(hid_t space, bool *is_empty, Records *records) {
  hsize_t shape[H5S_MAX_RANK];
  const int rank = H5Sget_simple_extent_ndims(space);
  *is_empty = H5Sget_simple_extent_type(space) == H5S_NULL;
  if (*is_empty || rank < 0 || rank > H5S_MAX_RANK ||
      H5Sget_simple_extent_dims(space, shape, NULL) < 0) {
    attune_put_count(records, 0);
    return;
  }
  attune_put_count(records, (uint32_t)rank);
  for (int index = 0; index < rank; index++) attune_put_integer(records, shape[index]);
}

static void put_nothing(const char *why, Records *records) {
  attune_put_byte(records, attune_hdf5_other_attribute);
  attune_put_text(records, why);
}

static void put_numbers(
    hid_t attribute, size_t count, AttuneHDF5AttributeKind kind, Records *records) {
  // Both are 64 bits wide.
  uint64_t values[most_element_count];
  const hid_t type =
      kind == attune_hdf5_float_attribute ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64;
  if (H5Aread(attribute, type, values) < 0) return put_nothing("unreadable", records);
  attune_put_byte(records, (uint8_t)kind);
  attune_put_bytes(records, values, count * sizeof *values);
}

static void put_booleans(hid_t attribute, hid_t type, size_t count, Records *records) {
  int8_t values[most_element_count];
  if (H5Aread(attribute, type, values) < 0) return put_nothing("unreadable", records);
  attune_put_byte(records, attune_hdf5_integer_attribute);
  for (size_t index = 0; index < count; index++)
    attune_put_integer(records, (uint64_t)(int64_t)values[index]);
}

static void put_variable_texts(hid_t attribute, hid_t type, size_t count, Records *records) {
  char *texts[most_element_count] = {0};
  const hid_t memory_type = H5Tget_native_type(type, H5T_DIR_DEFAULT);
  if (memory_type < 0 || H5Aread(attribute, memory_type, texts) < 0)
    return put_nothing("unreadable", records);
  attune_put_byte(records, attune_hdf5_text_attribute);
  for (size_t index = 0; index < count; index++) {
    attune_put_bounded_text(records, texts[index] ? texts[index] : "", most_text_byte_count);
    free(texts[index]);
  }
}

static void put_fixed_texts(hid_t attribute, hid_t type, size_t count, Records *records) {
  const size_t size = H5Tget_size(type);
  if (size == 0 || size > most_text_byte_count / count)
    return put_nothing("long text", records);
  char *texts = malloc(size * count);
  if (!texts || H5Aread(attribute, type, texts) < 0) {
    free(texts);
    return put_nothing("unreadable", records);
  }
  attune_put_byte(records, attune_hdf5_text_attribute);
  for (size_t index = 0; index < count; index++)
    attune_put_bounded_text(records, texts + index * size, size);
  free(texts);
}

static void put_values(hid_t attribute, hid_t type, hid_t space, bool is_empty, Records *records) {
  char name[64];
  const AttuneHDF5ElementType element_type = attune_element_type(type, name, sizeof name);
  const hssize_t count = is_empty ? 0 : H5Sget_simple_extent_npoints(space);
  if (count <= 0 || count > most_element_count) return put_nothing(name, records);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return put_numbers(attribute, (size_t)count, attune_hdf5_integer_attribute, records);
    case H5T_FLOAT:
      return put_numbers(attribute, (size_t)count, attune_hdf5_float_attribute, records);
    case H5T_STRING:
      if (H5Tis_variable_str(type) > 0)
        return put_variable_texts(attribute, type, (size_t)count, records);
      return put_fixed_texts(attribute, type, (size_t)count, records);
    default:
      if (element_type == attune_hdf5_bool)
        return put_booleans(attribute, type, (size_t)count, records);
      return put_nothing(name, records);
  }
}

static herr_t list_attribute(
    hid_t object, const char *name, const H5A_info_t *info, void *context) {
  (void)info;
  const Owner *owner = context;
  attune_put_byte(owner->records, attune_hdf5_attribute_record);
  attune_put_text(owner->records, owner->path);
  attune_put_text(owner->records, name);
  const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
  const hid_t type = attribute < 0 ? -1 : H5Aget_type(attribute);
  const hid_t space = attribute < 0 ? -1 : H5Aget_space(attribute);
  if (type < 0 || space < 0) {
    attune_put_count(owner->records, 0);
    put_nothing("unreadable", owner->records);
  } else {
    bool is_empty;
    attune_put_shape(space, &is_empty, owner->records);
    put_values(attribute, type, space, is_empty, owner->records);
  }
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  if (attribute >= 0) H5Aclose(attribute);
  return 0;
}

void attune_list_attributes(hid_t object, const char *path, Records *records) {
  Owner owner = {path, records};
  if (H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, list_attribute, &owner) < 0)
    attune_refuse_by_library("has unreadable attributes");
}
