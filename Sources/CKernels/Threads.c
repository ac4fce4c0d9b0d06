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

int32_t attune_allowed_processor_count(void) {
  // The system refuses a set that is smaller than its own.
  for (int capacity = CPU_SETSIZE; capacity <= 1 << 20; capacity *= 2) {
    cpu_set_t *processors = CPU_ALLOC(capacity);
    if (processors == NULL) return 0;
    const size_t size = CPU_ALLOC_SIZE(capacity);
    const int status = sched_getaffinity(getpid(), size, processors);
    const int count = status == 0 ? CPU_COUNT_S(size, processors) : 0;
    CPU_FREE(processors);
    if (count > 0) return count;
  }
  return (int32_t)sysconf(_SC_NPROCESSORS_ONLN);
}
