#define _GNU_SOURCE
#include "Threads.h"

#include <sched.h>
#include <unistd.h>

int32_t attune_thread_number(void) { return gettid(); }

void attune_keep_off_this_processor(int32_t thread) {
  cpu_set_t processors;
  const int current = sched_getcpu();
  if (current < 0 || sched_getaffinity(thread, sizeof processors, &processors) != 0) return;
  CPU_CLR(current, &processors);
  if (CPU_COUNT(&processors) > 0) sched_setaffinity(thread, sizeof processors, &processors);
}

void attune_return_to_processors(void) {
  cpu_set_t processors;
  // The process's number is its main thread's, whose set is what the user gave the process.
  if (sched_getaffinity(getpid(), sizeof processors, &processors) != 0) return;
  sched_setaffinity(0, sizeof processors, &processors);
}
