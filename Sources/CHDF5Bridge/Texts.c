#include <stdlib.h>

#include "Worker.h"
#include "Library.h"
#include "Records.h"

static void *allocate(uint64_t count, size_t size) {
  void *memory = calloc(count, size);
  if (!memory) attune_refuse("holds more text than fits in memory");
  return memory;
}

static void read_elements(hid_t dataset, hid_t type, void *elements) {
  if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, elements) < 0)
    attune_refuse_by_library("cannot be read");
}

static void put_variable_texts(hid_t dataset, hid_t type, uint64_t count, Records *records) {
  char **texts = allocate(count, sizeof *texts);
  const hid_t memory_type = H5Tget_native_type(type, H5T_DIR_DEFAULT);
  if (memory_type < 0) attune_refuse_by_library("has no readable type");
  read_elements(dataset, memory_type, texts);
  for (uint64_t index = 0; index < count; index++)
    attune_put_text(records, texts[index] ? texts[index] : "");
}

static void put_fixed_texts(hid_t dataset, hid_t type, uint64_t count, Records *records) {
  // A byte more, for the zero that ends a text whatever fills it up in the file.
  const size_t size = H5Tget_size(type) + 1;
  const hid_t memory_type = H5Tcopy(type);
  if (memory_type < 0 || H5Tset_size(memory_type, size) < 0 ||
      H5Tset_strpad(memory_type, H5T_STR_NULLTERM) < 0)
    attune_refuse_by_library("has no readable type");
  char *texts = allocate(count, size);
  read_elements(dataset, memory_type, texts);
  for (uint64_t index = 0; index < count; index++)
    attune_put_bounded_text(records, texts + index * size, size);
}

static void put_byte_arrays(hid_t dataset, uint64_t count, Records *records) {
  hvl_t *arrays = allocate(count, sizeof *arrays);
  const hid_t memory_type = H5Tvlen_create(H5T_NATIVE_UINT8);
  if (memory_type < 0) attune_refuse_by_library("has no readable type");
  read_elements(dataset, memory_type, arrays);
  for (uint64_t index = 0; index < count; index++) {
    if (arrays[index].len > UINT32_MAX) attune_refuse("has an element of more than 4 GB");
    attune_put_count(records, (uint32_t)arrays[index].len);
    if (arrays[index].len > 0) attune_put_bytes(records, arrays[index].p, arrays[index].len);
  }
}

uint64_t attune_read_texts(const Request *request, void *memory) {
  const char *path = attune_request_part(request, request->path_offset);
  const StoredSelection *selection = attune_request_part(request, request->selections_offset);
  Records records = {memory, request->memory_byte_count, 0};
  const uint64_t file_byte_count = attune_file_byte_count(path);
  const hid_t file = attune_open_file(path);
  const hid_t dataset =
      H5Dopen2(file, attune_request_part(request, selection->dataset_offset), H5P_DEFAULT);
  if (dataset < 0) attune_refuse_by_library("cannot be opened");
  const AttuneStorage storage = attune_storage(dataset, file_byte_count);
  if (storage.problem[0]) attune_refuse("%s", storage.problem);
  const hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
  if (type < 0 || space < 0) attune_refuse_by_library("has no readable type or shape");
  char name[64];
  const AttuneHDF5ElementType element_type = attune_element_type(type, name, sizeof name);
  if (element_type != attune_hdf5_text && element_type != attune_hdf5_byte_arrays)
    attune_refuse("changed while it was read");
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  const size_t size = H5Tget_size(type);
  if (count < 0 || size == 0 || (uint64_t)count > storage.most_byte_count / size)
    attune_refuse("claims more texts than its stored bytes can stand for");
  if (count == 0) return 0;
  if (element_type == attune_hdf5_byte_arrays)
    put_byte_arrays(dataset, (uint64_t)count, &records);
  else if (H5Tis_variable_str(type) > 0)
    put_variable_texts(dataset, type, (uint64_t)count, &records);
  else
    put_fixed_texts(dataset, type, (uint64_t)count, &records);
  return records.count;
}
