// OpenBLAS, which is loaded where products by it are requested and not before: it starts threads
// when it is loaded.
#pragma once

#include <stdbool.h>

/// Whether the library could be loaded; it then runs on the calling thread alone.
bool attune_openblas_is_available(void);

/// The library's version and the processor that its kernels are for; null where it is not loaded.
const char *attune_openblas_description(void);
