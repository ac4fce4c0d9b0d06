#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>

#include "include/CHDF5Bridge.h"

/// Ends the child with a message in the manner of printf.
void attune_refuse(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/// Whether libhdf5's last failure was a version number that it does not know.
bool attune_met_unknown_version(void);

/// Ends the child with libhdf5's reason for its last failure.
void attune_refuse_by_library(const char *what) __attribute__((noreturn));

/// Notes which selection is being read.
void attune_set_selection_index(uint32_t index);

#endif
