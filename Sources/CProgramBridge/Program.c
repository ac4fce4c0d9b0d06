#include "CProgramBridge.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_STREAMS 8

// Puts descriptors in the first places, which some of them may occupy.
static int redirect(const int *streams, int count) {
  int copies[MAX_STREAMS];
  if (count > MAX_STREAMS) {
    errno = EINVAL;
    return -1;
  }
  for (int index = 0; index < count; index++) {
    copies[index] = fcntl(streams[index], F_DUPFD_CLOEXEC, count);
    if (copies[index] < 0) return -1;
  }
  for (int index = 0; index < count; index++) {
    if (dup2(copies[index], index) < 0) return -1;
  }
  return 0;
}

// Whatever the parent ignores or blocks, a program expects to start without.
static void restore_signals(void) {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

// Calls only what is allowed after the fork of a process with several threads.
static void become_program(
    char *const *arguments, const int *streams, int count, pid_t parent, int report) {
  if (setpgid(0, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
      redirect(streams, count) == 0) {
    // The parent may have ended before this asked to be told.
    if (getppid() != parent) _exit(1);
    restore_signals();
    execvp(arguments[0], arguments);
  }
  const int number = errno;
  // Nobody is left to tell if this fails.
  if (write(report, &number, sizeof number) < 0) _exit(126);
  _exit(127);
}

int attune_start_program(
    char *const *arguments, const int *streams, int count, pid_t *process) {
  int report[2];
  // Closed by a successful exec, so that the parent reads nothing then.
  if (pipe2(report, O_CLOEXEC) != 0) return errno;
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) become_program(arguments, streams, count, parent, report[1]);
  const int fork_error = errno;
  close(report[1]);
  if (child < 0) {
    close(report[0]);
    return fork_error;
  }
  int number = 0;
  ssize_t read_count;
  do read_count = read(report[0], &number, sizeof number);
  while (read_count < 0 && errno == EINTR);
  close(report[0]);
  if (read_count > 0) {
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
    return number;
  }
  *process = child;
  return 0;
}

int attune_make_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int attune_make_memory(size_t size) {
  const int memory = memfd_create("attune", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (memory < 0) return -1;
  if (ftruncate(memory, (off_t)size) == 0 &&
      fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
    return memory;
  }
  const int number = errno;
  close(memory);
  errno = number;
  return -1;
}
