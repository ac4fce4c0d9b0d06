// What the worker pool asks of the processor and of the scheduler.
#pragma once

#include <stdint.h>

/// Tells the processor that the caller is spinning.
static inline void attune_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// The calling thread's number, by which the system knows it.
int32_t attune_thread_number(void);

/// Keeps a thread off the processor that the caller runs on, until it calls
/// `attune_return_to_processors`. Does nothing if that would leave it no processor.
///
/// To a system whose processors are virtual, an idle one may look like one that the host keeps from
/// running. It then wakes a thread on the processor of the thread that woke it, where it waits for
/// milliseconds or takes that thread's place, while the other processor stays idle.
void attune_keep_off_this_processor(int32_t thread);

/// Lets the calling thread run on every processor that the main thread may run on.
void attune_return_to_processors(void);

/// The number of processors that the main thread may run on; below 1 if the system does not tell.
int32_t attune_allowed_processor_count(void);
