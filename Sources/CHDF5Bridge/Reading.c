#include <string.h>

#include "Child.h"
#include "Library.h"

typedef struct {
  const char *path;
  AttuneHDF5Selection selection;
  void *elements;
  size_t byte_count;
} Reading;

static void check_shape(hid_t space, AttuneHDF5Selection selection) {
  hsize_t shape[H5S_MAX_RANK];
  if (H5Sget_simple_extent_ndims(space) != (int)selection.rank ||
      H5Sget_simple_extent_dims(space, shape, NULL) < 0)
    attune_refuse("changed while it was read");
  for (uint32_t index = 0; index < selection.rank; index++)
    if (shape[index] != selection.shape[index]) attune_refuse("changed while it was read");
}

/// Selects the rows in the file and gives the space of the elements in memory.
static hid_t select_rows(hid_t space, AttuneHDF5Selection selection) {
  if (selection.rank == 0) return H5Scopy(space);
  hsize_t start[H5S_MAX_RANK] = {0}, count[H5S_MAX_RANK];
  for (uint32_t index = 0; index < selection.rank; index++) count[index] = selection.shape[index];
  start[0] = selection.first_row;
  count[0] = selection.row_count;
  if (H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0)
    attune_refuse_by_library("rows cannot be selected");
  return H5Screate_simple((int)selection.rank, count, NULL);
}

static uint64_t read_rows(const void *context) {
  const Reading *reading = context;
  const AttuneHDF5Selection selection = reading->selection;
  const uint64_t file_byte_count = attune_file_byte_count(reading->path);
  const hid_t file = attune_open_file(reading->path);
  const hid_t dataset = H5Dopen2(file, selection.dataset, H5P_DEFAULT);
  if (dataset < 0) attune_refuse_by_library("cannot be opened");
  const AttuneStorage storage = attune_storage(dataset, file_byte_count);
  if (storage.problem[0]) attune_refuse("%s", storage.problem);

  const hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
  if (type < 0 || space < 0) attune_refuse_by_library("has no readable type or shape");
  char name[64];
  if (attune_element_type(type, name, sizeof name) != selection.element_type)
    attune_refuse("changed while it was read");
  check_shape(space, selection);
  const hid_t memory_type = attune_memory_type(selection.element_type, type);
  const hid_t memory_space = select_rows(space, selection);
  if (memory_type < 0 || memory_space < 0) attune_refuse_by_library("cannot be laid out");
  const hssize_t count = H5Sget_simple_extent_npoints(memory_space);
  if (count < 0 || (uint64_t)count * H5Tget_size(memory_type) != reading->byte_count)
    attune_refuse("changed while it was read");
  if (H5Dread(dataset, memory_type, memory_space, space, H5P_DEFAULT, reading->elements) < 0)
    attune_refuse_by_library("cannot be read");
  return reading->byte_count;
}

AttuneHDF5Result attune_hdf5_read(
    const char *path, AttuneHDF5Selection selection, AttuneHDF5Limits limits, void *elements,
    size_t byte_count) {
  const Reading reading = {path, selection, elements, byte_count};
  return attune_run_in_child(read_rows, &reading, limits);
}
