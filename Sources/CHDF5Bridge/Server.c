// The server: this program, started a second time by itself, with a variable in its environment.
// A constructor sees it before `main` and before any thread is there, and never returns. So each
// worker is a fork of a process with one thread, which runs nothing but C.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>

#include "Library.h"
#include "Worker.h"

static bool is_server_socket(int descriptor) {
  int type = 0;
  socklen_t size = sizeof type;
  return getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

static void close_other_descriptors(void) {
  DIR *folder = opendir("/proc/self/fd");
  if (!folder) return;
  for (struct dirent *entry; (entry = readdir(folder));) {
    const int descriptor = atoi(entry->d_name);
    if (descriptor > attune_server_socket && descriptor != dirfd(folder)) close(descriptor);
  }
  closedir(folder);
}

typedef struct {
  Message message;
  int pipe, folder;
} Arrival;

/// Waits for a request; false where the program that asks has ended.
static bool receive(Arrival *arrival) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(2 * sizeof(int))];
  } control;
  struct iovec part = {&arrival->message, sizeof arrival->message};
  struct msghdr header = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
      .msg_controllen = sizeof control};
  ssize_t count;
  do
    count = recvmsg(attune_server_socket, &header, MSG_CMSG_CLOEXEC);
  while (count < 0 && errno == EINTR);
  const struct cmsghdr *descriptors = CMSG_FIRSTHDR(&header);
  if (count != sizeof arrival->message || !descriptors ||
      descriptors->cmsg_len != CMSG_LEN(2 * sizeof(int)))
    return false;
  int received[2];
  memcpy(received, CMSG_DATA(descriptors), sizeof received);
  arrival->pipe = received[0];
  arrival->folder = received[1];
  return true;
}

/// Leaves word that no worker could be started.
static void refuse(int32_t request_identifier) {
  const int reason = errno;
  Request *request = shmat(request_identifier, NULL, 0);
  if (request == (void *)-1) return;
  request->result.outcome = attune_hdf5_not_started;
  snprintf(
      request->result.message, sizeof request->result.message, "cannot start a process: %s",
      strerror(reason));
  shmdt(request);
}

static void enter_worker(const Arrival *arrival, pid_t server) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != server) _exit(1);
  close(attune_server_socket);
  signal(SIGCHLD, SIG_DFL);
  if (fchdir(arrival->folder) != 0) _exit(1);
  close(arrival->folder);
  attune_work(arrival->message.request_identifier);
}

static void serve(void) __attribute__((noreturn));
static void serve(void) {
  // What is typed at the terminal is for the program.
  setsid();
  prctl(PR_SET_NAME, "attune-hdf5");
  // A crash here is expected; nobody wants its core.
  prctl(PR_SET_DUMPABLE, 0);
  close_other_descriptors();
  if (chdir("/") != 0) _exit(1);
  signal(SIGCHLD, SIG_IGN);
  attune_prepare_library();
  const pid_t server = getpid();
  Arrival arrival;
  while (receive(&arrival)) {
    const pid_t worker = fork();
    if (worker == 0) enter_worker(&arrival, server);
    if (worker < 0) refuse(arrival.message.request_identifier);
    close(arrival.pipe);
    close(arrival.folder);
  }
  _exit(0);
}

__attribute__((constructor)) static void serve_if_asked(void) {
  const char *descriptor = getenv(ATTUNE_SERVER_VARIABLE);
  if (!descriptor || atoi(descriptor) != attune_server_socket) return;
  if (is_server_socket(attune_server_socket)) serve();
}
