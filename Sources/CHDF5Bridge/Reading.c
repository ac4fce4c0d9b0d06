#include "Worker.h"
#include "Library.h"

/// A selection of a request, with its parts found.
typedef struct {
  const char *dataset;
  const uint64_t *shape;
  AttuneHDF5ElementType element_type;
  uint32_t rank;
  uint64_t first_row, row_count;
  void *elements;
  uint64_t byte_count;
} Selection;

static Selection selection_at(const Request *request, uint32_t index, void *memory) {
  const StoredSelection *all = attune_request_part(request, request->selections_offset);
  const StoredSelection stored = all[index];
  return (Selection){
      .dataset = attune_request_part(request, stored.dataset_offset),
      .shape = attune_request_part(request, stored.shape_offset),
      .element_type = (AttuneHDF5ElementType)stored.element_type, .rank = stored.rank,
      .first_row = stored.first_row, .row_count = stored.row_count,
      .elements = (char *)memory + stored.elements_offset, .byte_count = stored.byte_count};
}

static void check_shape(hid_t space, Selection selection) {
  hsize_t shape[H5S_MAX_RANK];
  if (H5Sget_simple_extent_ndims(space) != (int)selection.rank ||
      H5Sget_simple_extent_dims(space, shape, NULL) < 0)
    attune_refuse("changed while it was read");
  for (uint32_t index = 0; index < selection.rank; index++)
    if (shape[index] != selection.shape[index]) attune_refuse("changed while it was read");
}

/// Selects the rows in the file and gives the space of the elements in memory.
static hid_t select_rows(hid_t space, Selection selection) {
  if (selection.rank == 0) return H5Scopy(space);
  hsize_t start[H5S_MAX_RANK] = {0}, count[H5S_MAX_RANK];
  for (uint32_t index = 0; index < selection.rank; index++) count[index] = selection.shape[index];
  start[0] = selection.first_row;
  count[0] = selection.row_count;
  if (H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0)
    attune_refuse_by_library("rows cannot be selected");
  return H5Screate_simple((int)selection.rank, count, NULL);
}

static void read_rows(hid_t file, Selection selection, uint64_t file_byte_count) {
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
  if (count < 0 || (uint64_t)count * H5Tget_size(memory_type) != selection.byte_count)
    attune_refuse("changed while it was read");
  if (H5Dread(dataset, memory_type, memory_space, space, H5P_DEFAULT, selection.elements) < 0)
    attune_refuse_by_library("cannot be read");
  H5Sclose(memory_space);
  H5Sclose(space);
  H5Tclose(type);
  // Gives back the chunk cache; the other handles go with the worker.
  H5Dclose(dataset);
}

uint64_t attune_read(const Request *request, void *memory) {
  const char *path = attune_request_part(request, request->path_offset);
  const uint64_t file_byte_count = attune_file_byte_count(path);
  const hid_t file = attune_open_file(path);
  uint64_t byte_count = 0;
  for (uint32_t index = 0; index < request->selection_count; index++) {
    const Selection selection = selection_at(request, index, memory);
    attune_set_selection_index(index);
    read_rows(file, selection, file_byte_count);
    byte_count += selection.byte_count;
  }
  return byte_count;
}
