#include "Child.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "Library.h"

/// Shared with the parent; set in the child only.
static AttuneHDF5Result *child_result;

void attune_refuse(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(child_result->message, sizeof child_result->message, format, arguments);
  va_end(arguments);
  child_result->outcome = attune_hdf5_refused;
  _exit(0);
}

void attune_set_selection_index(uint32_t index) { child_result->selection_index = index; }

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
    child_result->outcome = attune_hdf5_unknown_version;
    snprintf(
        child_result->message, sizeof child_result->message, "libhdf5 %d.%d.%d: %s",
        H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE, description);
    _exit(0);
  }
  attune_refuse("%s (libhdf5: %s)", what, description);
}

/// The parent's private writable memory, which the limit of a child counts too.
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

static void limit_time(double seconds) {
  const double whole = floor(seconds);
  const struct itimerval processor = {
      .it_value = {.tv_sec = (time_t)whole, .tv_usec = (suseconds_t)((seconds - whole) * 1e6)}};
  setitimer(ITIMER_PROF, &processor, NULL);
  // A child that neither works nor ends waits for a disk, or for ever.
  alarm(60 + (unsigned)whole * 20);
}

static void enter_child(AttuneHDF5Limits limits, pid_t parent) {
  // The parent decides what an interrupt from the terminal means.
  signal(SIGINT, SIG_IGN);
  const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGPROF, SIGALRM, SIGTERM};
  sigset_t set;
  sigemptyset(&set);
  for (size_t index = 0; index < sizeof fatal / sizeof *fatal; index++) {
    signal(fatal[index], SIG_DFL);
    sigaddset(&set, fatal[index]);
  }
  sigprocmask(SIG_UNBLOCK, &set, NULL);

  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // A crash here is expected; nobody wants its core.
  prctl(PR_SET_DUMPABLE, 0);
  if (getppid() != parent) _exit(1);
  limit_memory(limits.memory_byte_count);
  limit_time(limits.processor_seconds);

  // What the C library or libhdf5 prints when it gives up is not for the user.
  const int nothing = open("/dev/null", O_WRONLY);
  if (nothing >= 0) {
    dup2(nothing, STDOUT_FILENO);
    dup2(nothing, STDERR_FILENO);
  }
}

static AttuneHDF5Result not_started(const char *what) {
  AttuneHDF5Result result = {.outcome = attune_hdf5_not_started};
  snprintf(result.message, sizeof result.message, "%s: %s", what, strerror(errno));
  return result;
}

AttuneHDF5Result attune_run_in_child(
    uint64_t (*work)(const void *), const void *context, AttuneHDF5Limits limits) {
  AttuneHDF5Result *shared = mmap(
      NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return not_started("cannot share memory");
  shared->outcome = attune_hdf5_crashed;

  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    child_result = shared;
    enter_child(limits, parent);
    shared->byte_count = work(context);
    shared->outcome = attune_hdf5_done;
    _exit(0);
  }
  if (child < 0) {
    munmap(shared, sizeof *shared);
    return not_started("cannot start a process");
  }

  int status = 0;
  // Fails with ECHILD where the program ignores SIGCHLD, but waits nevertheless.
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  AttuneHDF5Result result = *shared;
  munmap(shared, sizeof *shared);
  result.message[sizeof result.message - 1] = 0;
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (signal == SIGPROF || signal == SIGALRM) result.outcome = attune_hdf5_out_of_time;
  return result;
}
