// Reads HDF5 files in a child process.
//
// libhdf5 is not safe against malformed files: versions that are in use crash, loop or exhaust
// memory on some of them. Every call that looks at a file is therefore made by a forked child with
// limits on its time and memory, which hands its result back through shared memory. The child runs
// nothing but C, because other threads of the parent may hold locks of the Swift runtime.

#ifndef CHDF5BRIDGE_H
#define CHDF5BRIDGE_H

#include <stddef.h>
#include <stdint.h>

/// What the child may use.
typedef struct {
  double processor_seconds;
  /// Memory beyond what the parent had when it forked.
  uint64_t memory_byte_count;
} AttuneHDF5Limits;

typedef enum {
  attune_hdf5_done,
  /// libhdf5 or a check of this bridge refused the file; the message says why.
  attune_hdf5_refused,
  /// libhdf5 met a version of the format that it does not know; the message says where.
  attune_hdf5_unknown_version,
  attune_hdf5_crashed,
  attune_hdf5_out_of_time,
  /// No child could be started; the message says why.
  attune_hdf5_not_started,
} AttuneHDF5Outcome;

typedef struct {
  AttuneHDF5Outcome outcome;
  /// The selection that was being read when the child ended.
  uint32_t selection_index;
  /// Bytes written to the result's memory.
  uint64_t byte_count;
  char message[240];
} AttuneHDF5Result;

/// The element types that datasets are read as.
typedef enum {
  attune_hdf5_other_type,
  attune_hdf5_float64,
  attune_hdf5_float32,
  attune_hdf5_float16,
  attune_hdf5_int64,
  attune_hdf5_int32,
  attune_hdf5_int16,
  attune_hdf5_int8,
  attune_hdf5_uint64,
  attune_hdf5_uint32,
  attune_hdf5_uint16,
  attune_hdf5_uint8,
  attune_hdf5_bool,
  /// Texts, which are read by attune_hdf5_read_texts only.
  attune_hdf5_text,
} AttuneHDF5ElementType;

/// The first byte of each record of a listing.
///
/// Numbers are in the machine's byte order; a text is a 32-bit byte count and the bytes; a shape is
/// a 32-bit rank and 64-bit sizes.
typedef enum {
  /// text path
  attune_hdf5_group_record = 1,
  /// text path, 8-bit element type, text type name, shape, 64-bit count of stored bytes, 64-bit
  /// bound on the bytes that these can stand for, text why it cannot be read (empty if it can)
  attune_hdf5_dataset_record,
  /// text path, text what it is
  attune_hdf5_link_record,
  /// text owner's path, text name, shape, then 8-bit AttuneHDF5AttributeKind and the values
  attune_hdf5_attribute_record,
} AttuneHDF5RecordKind;

typedef enum {
  /// text why it cannot be read
  attune_hdf5_other_attribute,
  /// a text for each element
  attune_hdf5_text_attribute,
  /// 64-bit integers
  attune_hdf5_integer_attribute,
  /// 64-bit floats
  attune_hdf5_float_attribute,
} AttuneHDF5AttributeKind;

/// Writes records of everything in the file to `records`, which other processes must share.
AttuneHDF5Result attune_hdf5_list(
    const char *path, AttuneHDF5Limits limits, void *records, size_t capacity);

/// A range of rows of a dataset whose type and shape are known from a listing, and where its
/// elements go.
typedef struct {
  const char *dataset;
  AttuneHDF5ElementType element_type;
  uint32_t rank;
  const uint64_t *shape;
  uint64_t first_row, row_count;
  void *elements;
  uint64_t byte_count;
} AttuneHDF5Selection;

/// Reads rows of several datasets into memory that other processes must share.
AttuneHDF5Result attune_hdf5_read(
    const char *path, const AttuneHDF5Selection *selections, uint32_t count,
    AttuneHDF5Limits limits);

/// Writes the texts of a dataset, in row-major order, to `records`, which other processes must share.
AttuneHDF5Result attune_hdf5_read_texts(
    const char *path, const char *dataset, AttuneHDF5Limits limits, void *records,
    size_t capacity);

/// Runs `work` in a child process and waits for it; `work` returns the number of bytes it wrote.
AttuneHDF5Result attune_run_in_child(
    uint64_t (*work)(const void *context), const void *context, AttuneHDF5Limits limits);

#endif
