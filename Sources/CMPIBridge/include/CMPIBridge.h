#ifndef CMPI_BRIDGE_H
#define CMPI_BRIDGE_H

#include <stdint.h>

// Open MPI's communicators and types are macros, which Swift does not see. All calls come from the
// thread that started; they return 0, or an error's number.

/// Joins the processes that mpirun started; `rank` of `count`.
int attune_mpi_start(int *rank, int *count);

/// Leaves in good order, once all have come here.
int attune_mpi_finish(void);

/// Ends all processes at once.
void attune_mpi_abort(int status);

/// `counts[p]` becomes the byte count that rank p hands over.
int attune_mpi_gather_counts(int64_t own, int64_t *counts);

/// `all` becomes the bytes of all ranks, one after the other; `counts` as `attune_mpi_gather_counts`
/// tells.
int attune_mpi_gather(const void *own, void *all, const int64_t *counts);

/// Tells a partner how many bytes will come, and learns how many it has.
int attune_mpi_exchange_counts(int partner, int64_t own, int64_t *theirs);

/// Hands bytes to a partner and takes its bytes.
int attune_mpi_exchange(
    int partner, const void *own, int64_t own_count, void *theirs, int64_t their_count);

/// Writes what an error is into `text`, of 256 bytes or more.
void attune_mpi_describe(int error, char *text);

/// Open MPI's version, as in "4.1.4".
const char *attune_mpi_version(void);

#endif
