#include "CMPIBridge.h"

#include <mpi.h>
#include <string.h>

// MPI counts by int: what is longer goes in pieces.
static const int64_t max_piece = 1 << 30;

int attune_mpi_start(int *rank, int *count) {
  int support;
  int error = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &support);
  if (error) return error;
  // Errors come back and are told by the rank that has them.
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  if ((error = MPI_Comm_rank(MPI_COMM_WORLD, rank))) return error;
  return MPI_Comm_size(MPI_COMM_WORLD, count);
}

int attune_mpi_finish(void) { return MPI_Finalize(); }

void attune_mpi_abort(int status) { MPI_Abort(MPI_COMM_WORLD, status); }

int attune_mpi_gather_counts(int64_t own, int64_t *counts) {
  return MPI_Allgather(&own, 1, MPI_INT64_T, counts, 1, MPI_INT64_T, MPI_COMM_WORLD);
}

int attune_mpi_gather(const void *own, void *all, const int64_t *counts) {
  int rank, size, error;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  int64_t total = 0;
  for (int p = 0; p < size; p++) total += counts[p];
  if (total <= max_piece) {
    int sizes[size], places[size];
    int place = 0;
    for (int p = 0; p < size; p++) {
      sizes[p] = (int)counts[p];
      places[p] = place;
      place += sizes[p];
    }
    return MPI_Allgatherv(
        own, sizes[rank], MPI_BYTE, all, sizes, places, MPI_BYTE, MPI_COMM_WORLD);
  }
  char *place = all;
  for (int p = 0; p < size; p++) {
    if (p == rank) memcpy(place, own, (size_t)counts[p]);
    for (int64_t start = 0; start < counts[p]; start += max_piece) {
      int64_t left = counts[p] - start;
      int piece = (int)(left < max_piece ? left : max_piece);
      if ((error = MPI_Bcast(place + start, piece, MPI_BYTE, p, MPI_COMM_WORLD))) return error;
    }
    place += counts[p];
  }
  return 0;
}

int attune_mpi_exchange_counts(int partner, int64_t own, int64_t *theirs) {
  return MPI_Sendrecv(
      &own, 1, MPI_INT64_T, partner, 0, theirs, 1, MPI_INT64_T, partner, 0, MPI_COMM_WORLD,
      MPI_STATUS_IGNORE);
}

int attune_mpi_exchange(
    int partner, const void *own, int64_t own_count, void *theirs, int64_t their_count) {
  int64_t longer = own_count > their_count ? own_count : their_count;
  for (int64_t start = 0; start < longer; start += max_piece) {
    int64_t own_left = own_count - start, their_left = their_count - start;
    int sent = own_left <= 0 ? 0 : (int)(own_left < max_piece ? own_left : max_piece);
    int taken = their_left <= 0 ? 0 : (int)(their_left < max_piece ? their_left : max_piece);
    int error = MPI_Sendrecv(
        (const char *)own + (sent ? start : 0), sent, MPI_BYTE, partner, 1,
        (char *)theirs + (taken ? start : 0), taken, MPI_BYTE, partner, 1, MPI_COMM_WORLD,
        MPI_STATUS_IGNORE);
    if (error) return error;
  }
  return 0;
}

void attune_mpi_describe(int error, char *text) {
  char message[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(error, message, &length);
  if (length > 255) length = 255;
  memcpy(text, message, (size_t)length);
  text[length] = 0;
}

const char *attune_mpi_version(void) {
  static char version[MPI_MAX_LIBRARY_VERSION_STRING];
  int length;
  MPI_Get_library_version(version, &length);
  return version;
}
