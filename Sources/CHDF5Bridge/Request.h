#ifndef REQUEST_H
#define REQUEST_H

#include <stdbool.h>

#include "include/CHDF5Bridge.h"

typedef enum {
  attune_list_request,
  attune_read_request,
  attune_texts_request,
  attune_probe_request,
} RequestKind;

/// One selection of a request; offsets are from the request's first byte, or the memory's.
typedef struct {
  uint64_t dataset_offset, shape_offset;
  uint32_t element_type, rank;
  uint64_t first_row, row_count;
  uint64_t elements_offset, byte_count;
} StoredSelection;

/// What a worker is asked, in memory that it shares with the program; selections, names and shapes
/// lie behind it.
typedef struct {
  /// Written by the worker.
  AttuneHDF5Result result;
  AttuneHDF5Limits limits;
  uint32_t kind, probe, selection_count;
  /// Where the answer goes.
  int32_t memory_identifier;
  uint64_t memory_byte_count;
  uint64_t path_offset, selections_offset;
} Request;

/// The text or the array at an offset of a request.
static inline const void *attune_request_part(const Request *request, uint64_t offset) {
  return (const char *)request + offset;
}

/// What is sent to the server for each request, with two descriptors: the pipe that closes when the
/// worker has ended, and the folder that paths are relative to.
typedef struct {
  int32_t request_identifier;
} Message;

/// The variable of the environment by which a program that is started again knows that it is a server,
/// and the descriptor of its socket.
#define ATTUNE_SERVER_VARIABLE "ATTUNE_HDF5_SERVER"
enum { attune_server_socket = 3 };

/// Does what a request asks, in a worker; gives the number of bytes written to `memory`.
uint64_t attune_perform(const Request *request, void *memory);

#endif
