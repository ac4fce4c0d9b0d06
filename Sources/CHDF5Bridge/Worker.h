#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>

#include "Request.h"

/// Does what a request asks under its limits, and ends the process.
void attune_work(int32_t request_identifier) __attribute__((noreturn));

/// Ends the worker with a message in the manner of printf.
void attune_refuse(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/// Whether libhdf5's last failure was a version number that it does not know.
bool attune_met_unknown_version(void);

/// Ends the worker with libhdf5's reason for its last failure.
void attune_refuse_by_library(const char *what) __attribute__((noreturn));

/// Notes which selection is being read.
void attune_set_selection_index(uint32_t index);

/// The kinds of work.
uint64_t attune_list(const Request *request, void *memory);
uint64_t attune_read(const Request *request, void *memory);
uint64_t attune_read_texts(const Request *request, void *memory);

#endif
