#ifndef CHILD_H
#define CHILD_H

#include "include/CHDF5Bridge.h"

/// Ends the child with a message in the manner of printf.
void attune_refuse(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/// Ends the child with libhdf5's reason for its last failure.
void attune_refuse_by_library(const char *what) __attribute__((noreturn));

/// Runs `work` in a child process and waits for it; `work` returns the number of bytes it wrote.
AttuneHDF5Result attune_run_in_child(
    uint64_t (*work)(const void *context), const void *context, AttuneHDF5Limits limits);

#endif
