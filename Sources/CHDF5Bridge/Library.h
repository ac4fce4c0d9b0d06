#ifndef LIBRARY_H
#define LIBRARY_H

#define H5_USE_110_API
#include <hdf5.h>
#include <stdbool.h>

#include "include/CHDF5Bridge.h"

/// Starts libhdf5, without looking at any file.
void attune_prepare_library(void);

/// Opens a file for reading or ends the worker.
hid_t attune_open_file(const char *path);

/// The element type that a dataset of this HDF5 type is read as, and the name of its type.
AttuneHDF5ElementType attune_element_type(hid_t type, char *name, size_t name_size);

/// The HDF5 type of elements in memory.
hid_t attune_memory_type(AttuneHDF5ElementType element_type, hid_t file_type);

/// What a dataset occupies in the file.
typedef struct {
  /// Bytes in the file, and the most bytes of elements that these can stand for.
  uint64_t stored_byte_count, most_byte_count;
  /// Why the dataset cannot be read; empty if it can.
  char problem[160];
} AttuneStorage;

AttuneStorage attune_storage(hid_t dataset, uint64_t file_byte_count);

/// The size of the file on disk.
uint64_t attune_file_byte_count(const char *path);

#endif
