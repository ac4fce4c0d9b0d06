// Reads HDF5 files in other processes.
//
// libhdf5 is not safe against malformed files: versions that are in use crash, loop or exhaust
// memory on some of them. Every call that looks at a file is therefore made by a worker, a process
// with limits on its time and memory, which hands its result back through shared memory. A program
// with threads must not go on after fork, since they may hold locks: workers are forks of a server,
// which is this program started again (Server.c), once for all requests.

#ifndef CHDF5BRIDGE_H
#define CHDF5BRIDGE_H

#include <stddef.h>
#include <stdint.h>

/// What a worker may use.
typedef struct {
  double processor_seconds;
  /// Memory beyond what the server has.
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
  /// No worker could be started; the message says why.
  attune_hdf5_not_started,
} AttuneHDF5Outcome;

typedef struct {
  AttuneHDF5Outcome outcome;
  /// The selection that was being read when the worker ended.
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
  /// Bytes, any number of them an element, which are read by attune_hdf5_read_texts only.
  attune_hdf5_byte_arrays,
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

/// Memory that this process and its workers share.
typedef struct {
  /// NULL if the system has not that much.
  void *start;
  uint64_t byte_count;
  /// By which a worker finds it.
  int32_t identifier;
} AttuneSharedMemory;

AttuneSharedMemory attune_share_memory(uint64_t byte_count);
void attune_unshare_memory(AttuneSharedMemory memory);

/// Writes records of everything in the file to `records`.
AttuneHDF5Result attune_hdf5_list(
    const char *path, AttuneHDF5Limits limits, AttuneSharedMemory records);

/// A range of rows of a dataset whose type and shape are known from a listing, and where its
/// elements go.
typedef struct {
  const char *dataset;
  AttuneHDF5ElementType element_type;
  uint32_t rank;
  const uint64_t *shape;
  uint64_t first_row, row_count;
  /// In the memory that is read into.
  uint64_t elements_offset, byte_count;
} AttuneHDF5Selection;

/// Reads rows of several datasets.
AttuneHDF5Result attune_hdf5_read(
    const char *path, const AttuneHDF5Selection *selections, uint32_t count,
    AttuneHDF5Limits limits, AttuneSharedMemory elements);

/// Writes the texts or the bytes of a dataset, in row-major order, to `records`.
AttuneHDF5Result attune_hdf5_read_texts(
    const char *path, const char *dataset, AttuneHDF5Limits limits, AttuneSharedMemory records);

/// What a worker may do in place of reading a file, for tests.
typedef enum {
  /// Ends with 42 bytes.
  attune_hdf5_probe_success,
  attune_hdf5_probe_abort,
  attune_hdf5_probe_exit,
  attune_hdf5_probe_loop,
  /// Asks for a gigabyte; ends with 1 byte if it gets none.
  attune_hdf5_probe_memory,
  /// Ends with as many bytes as there are open descriptors beside the standard ones.
  attune_hdf5_probe_descriptors,
  /// Ends with as many bytes as its parent's process number.
  attune_hdf5_probe_parent,
} AttuneHDF5Probe;

AttuneHDF5Result attune_hdf5_probe(AttuneHDF5Probe way, AttuneHDF5Limits limits);

/// A tensor to write as a dataset.
typedef struct {
  /// The path without the slash in front; groups on the way are made.
  const char *name;
  /// One that is written: numbers but half precision, or booleans.
  AttuneHDF5ElementType element_type;
  uint32_t rank;
  const uint64_t *shape;
  /// In the machine's byte order, as many as the shape says.
  const void *elements;
  /// Whether each row is a chunk of its own, compressed by gzip; rows must have elements then.
  int32_t is_compressed;
} AttuneHDF5Tensor;

/// An attribute to write to a group or a dataset that is there.
typedef struct {
  /// Its owner's path without the slash in front.
  const char *owner;
  const char *name;
  /// NULL for an integer.
  const char *text;
  int64_t integer;
} AttuneHDF5Attribute;

/// A file that is written in memory. This runs in the program itself: libhdf5 only sees what the
/// program made.
typedef int64_t AttuneHDF5Writer;

/// Begins a file; negative if libhdf5 refuses. Whoever gets one closes it.
AttuneHDF5Writer attune_hdf5_write_begin(void);
/// 0, or -1 if libhdf5 refuses.
int attune_hdf5_write_tensor(AttuneHDF5Writer writer, const AttuneHDF5Tensor *tensor);
int attune_hdf5_write_attribute(AttuneHDF5Writer writer, const AttuneHDF5Attribute *attribute);
/// The bytes of the file, which the caller frees; NULL if there is no memory.
void *attune_hdf5_write_image(AttuneHDF5Writer writer, uint64_t *byte_count);
void attune_hdf5_write_close(AttuneHDF5Writer writer);

/// The version of libhdf5 that this was built with.
const char *attune_hdf5_library_version(void);

#endif
