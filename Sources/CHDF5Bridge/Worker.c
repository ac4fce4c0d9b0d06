#include "Worker.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/time.h>
#include <unistd.h>

#include "Library.h"

/// Shared with the program that asks.
static AttuneHDF5Result *shared_result;

void attune_refuse(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(shared_result->message, sizeof shared_result->message, format, arguments);
  va_end(arguments);
  shared_result->outcome = attune_hdf5_refused;
  _exit(0);
}

void attune_set_selection_index(uint32_t index) { shared_result->selection_index = index; }

static herr_t keep_first_description(unsigned index, const H5E_error2_t *error, void *kept) {
  // Walking upwards, the first entry is the one closest to the cause.
  if (index == 0) *(const char **)kept = error->desc;
  return 0;
}

/// libhdf5's words for the cause of its last failure.
static const char *last_description(void) {
  const char *description = NULL;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first_description, &description);
  return description ? description : "no reason given";
}

bool attune_met_unknown_version(void) {
  const char *description = last_description();
  return strstr(description, "version") && !strstr(description, "library");
}

void attune_refuse_by_library(const char *what) {
  const char *description = last_description();
  if (attune_met_unknown_version()) {
    shared_result->outcome = attune_hdf5_unknown_version;
    snprintf(
        shared_result->message, sizeof shared_result->message, "libhdf5 %d.%d.%d: %s",
        H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE, description);
    _exit(0);
  }
  attune_refuse("%s (libhdf5: %s)", what, description);
}

/// The private writable memory that this process began with, which its limit counts too.
static uint64_t inherited_byte_count(void) {
  char text[128] = {0};
  const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const ssize_t count = read(file, text, sizeof text - 1);
  close(file);
  unsigned long long data = 0;
  if (count <= 0 || sscanf(text, "%*u %*u %*u %*u %*u %llu", &data) != 1) return 0;
  return data * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void limit_memory(uint64_t byte_count) {
  const uint64_t inherited = inherited_byte_count();
  struct rlimit limit;
  if (inherited == 0 || getrlimit(RLIMIT_DATA, &limit) != 0) return;
  if (inherited + byte_count < limit.rlim_cur) limit.rlim_cur = inherited + byte_count;
  setrlimit(RLIMIT_DATA, &limit);
}

static void end_out_of_time(int signal) {
  (void)signal;
  shared_result->outcome = attune_hdf5_out_of_time;
  _exit(0);
}

static void limit_time(double seconds) {
  signal(SIGPROF, end_out_of_time);
  signal(SIGALRM, end_out_of_time);
  const double whole = floor(seconds);
  const struct itimerval processor = {
      .it_value = {.tv_sec = (time_t)whole, .tv_usec = (suseconds_t)((seconds - whole) * 1e6)}};
  setitimer(ITIMER_PROF, &processor, NULL);
  // A worker that neither works nor ends waits for a disk, or for ever.
  alarm(60 + (unsigned)whole * 20);
}

/// Fails in one of the ways that libhdf5 may.
static uint64_t probe(uint32_t way) {
  switch (way) {
    case attune_hdf5_probe_abort: abort();
    case attune_hdf5_probe_exit: _exit(0);
    case attune_hdf5_probe_loop:
      for (volatile unsigned turn = 0;; turn++) continue;
    case attune_hdf5_probe_memory: {
      void *memory = mmap(
          NULL, 1 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      return memory == MAP_FAILED;
    }
    case attune_hdf5_probe_descriptors: {
      // How many descriptors are open, beside the standard ones and the pipe of the answer.
      uint64_t count = 0;
      for (int descriptor = 3; descriptor < 1024; descriptor++)
        if (fcntl(descriptor, F_GETFD) >= 0) count++;
      return count;
    }
    case attune_hdf5_probe_parent: return (uint64_t)getppid();
    default: return 42;
  }
}

uint64_t attune_perform(const Request *request, void *memory) {
  switch (request->kind) {
    case attune_list_request: return attune_list(request, memory);
    case attune_read_request: return attune_read(request, memory);
    case attune_texts_request: return attune_read_texts(request, memory);
    default: return probe(request->probe);
  }
}

void attune_work(int32_t request_identifier) {
  Request *request = shmat(request_identifier, NULL, 0);
  if (request == (void *)-1) _exit(1);
  shared_result = &request->result;
  void *memory = NULL;
  if (request->memory_byte_count > 0) {
    memory = shmat(request->memory_identifier, NULL, 0);
    if (memory == (void *)-1) attune_refuse("cannot be given memory");
  }
  limit_memory(request->limits.memory_byte_count);
  limit_time(request->limits.processor_seconds);
  shared_result->byte_count = attune_perform(request, memory);
  shared_result->outcome = attune_hdf5_done;
  _exit(0);
}
