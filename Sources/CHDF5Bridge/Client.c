#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "Request.h"

extern char **environ;

/// Guards the socket.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/// Of the running server; -1 where there is none.
static int server_socket = -1;
static pid_t server_process;
/// The file that this code is in, where that is not the program itself but something that it loaded.
static char loaded_path[PATH_MAX];

// MARK: - Memory

AttuneSharedMemory attune_share_memory(uint64_t byte_count) {
  AttuneSharedMemory memory = {.start = NULL, .byte_count = byte_count, .identifier = -1};
  // Neither a file's size limit nor the size of a file system bounds such memory, as they do for
  // memfd_create and shm_open.
  memory.identifier =
      shmget(IPC_PRIVATE, byte_count ? byte_count : 1, IPC_CREAT | SHM_NORESERVE | 0600);
  if (memory.identifier < 0) return memory;
  void *start = shmat(memory.identifier, NULL, 0);
  // Goes with the last process that has it; Linux lets others join until then.
  shmctl(memory.identifier, IPC_RMID, NULL);
  if (start != (void *)-1) memory.start = start;
  return memory;
}

void attune_unshare_memory(AttuneSharedMemory memory) {
  if (memory.start) shmdt(memory.start);
}

// MARK: - The server

/// The base addresses tell whether this code is in the program itself.
static bool is_in_program(const Dl_info *here) {
  Dl_info program;
  const void *headers = (const void *)getauxval(AT_PHDR);
  return headers && dladdr(headers, &program) && program.dli_fbase == here->dli_fbase;
}

/// Paths may be relative to a folder that the program leaves later, so this is asked at once.
__attribute__((constructor)) static void find_own_file(void) {
  Dl_info here;
  if (dladdr((const void *)attune_share_memory, &here) && !is_in_program(&here))
    if (!realpath(here.dli_fname, loaded_path)) loaded_path[0] = 0;
}

/// What starts the file that this code is in: the program itself, or the loader for what it loaded,
/// which runs the constructors of any shared object. `arguments` has room for three.
static const char *own_program(char **arguments) {
  if (!loaded_path[0]) {
    arguments[0] = "attune-hdf5";
    arguments[1] = NULL;
    return "/proc/self/exe";
  }
  Dl_info loader;
  const void *base = (const void *)getauxval(AT_BASE);
  if (!base || !dladdr(base, &loader)) return NULL;
  arguments[0] = (char *)loader.dli_fname;
  arguments[1] = loaded_path;
  arguments[2] = NULL;
  return loader.dli_fname;
}

/// This environment and the variable that makes a server of the program; NULL without memory.
static char **server_environment(void) {
  size_t count = 0;
  while (environ[count]) count++;
  char **environment = calloc(count + 2, sizeof *environment);
  if (!environment) return NULL;
  memcpy(environment, environ, count * sizeof *environment);
  environment[count] = ATTUNE_SERVER_VARIABLE "=3";
  return environment;
}

static int spawn(int socket, pid_t *process) {
  char *arguments[3];
  const char *program = own_program(arguments);
  if (!program) return ENOEXEC;
  char **environment = server_environment();
  if (!environment) return ENOMEM;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, standard;
  sigemptyset(&none);
  sigemptyset(&standard);
  const int changed[] = {SIGINT,  SIGTERM, SIGHUP,  SIGPIPE, SIGCHLD, SIGPROF,
                         SIGALRM, SIGSEGV, SIGBUS, SIGFPE,  SIGILL,  SIGABRT};
  for (size_t index = 0; index < sizeof changed / sizeof *changed; index++)
    sigaddset(&standard, changed[index]);
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  // What the C library or libhdf5 prints when it gives up is not for the user.
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, socket, attune_server_socket);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &standard);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const int error =
      posix_spawn(process, program, &actions, &attributes, arguments, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  free(environment);
  return error;
}

/// Gives an error number; 0 where the server runs.
static int start_server(void) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) return errno;
  // Not the descriptor that it becomes, which would stay closed on exec.
  const int theirs = fcntl(sockets[1], F_DUPFD_CLOEXEC, attune_server_socket + 1);
  close(sockets[1]);
  pid_t process = 0;
  const int error = theirs < 0 ? errno : spawn(theirs, &process);
  if (theirs >= 0) close(theirs);
  if (error) {
    close(sockets[0]);
    return error;
  }
  server_socket = sockets[0];
  server_process = process;
  return 0;
}

/// Ends the server, by closing its socket, and waits for it, so that none is left behind.
static void end_server(void) {
  if (server_socket < 0) return;
  close(server_socket);
  server_socket = -1;
  while (waitpid(server_process, NULL, 0) < 0 && errno == EINTR) continue;
}

__attribute__((destructor)) static void end_server_at_exit(void) {
  // Not while another thread still asks, whose answer nobody waits for.
  if (pthread_mutex_trylock(&lock) == 0) end_server();
}

static bool send_request(int32_t request_identifier, int pipe, int folder) {
  const Message message = {request_identifier};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(2 * sizeof(int))];
  } control = {0};
  struct iovec part = {(void *)&message, sizeof message};
  struct msghdr header = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
      .msg_controllen = sizeof control};
  struct cmsghdr *descriptors = CMSG_FIRSTHDR(&header);
  descriptors->cmsg_level = SOL_SOCKET;
  descriptors->cmsg_type = SCM_RIGHTS;
  descriptors->cmsg_len = CMSG_LEN(2 * sizeof(int));
  memcpy(CMSG_DATA(descriptors), (int[2]){pipe, folder}, 2 * sizeof(int));
  ssize_t count;
  do
    count = sendmsg(server_socket, &header, MSG_NOSIGNAL);
  while (count < 0 && errno == EINTR);
  return count == sizeof message;
}

/// Hands a request to the server, which is started where there is none, or no longer; tells which
/// one it was.
static int deliver(int32_t request_identifier, int pipe, int folder, pid_t *server) {
  int error = 0;
  pthread_mutex_lock(&lock);
  for (int attempt = 0; attempt < 2; attempt++) {
    error = server_socket < 0 ? start_server() : 0;
    if (error) break;
    if (send_request(request_identifier, pipe, folder)) break;
    error = errno;
    end_server();
  }
  *server = server_process;
  pthread_mutex_unlock(&lock);
  return error;
}

/// Whether a process is on its way out, or a zombie. Linux closes what it has open in any order, so
/// that a request's pipe may end before the socket does.
static bool is_exiting(pid_t process) {
  enum { exiting = 0x4 };  // PF_EXITING of linux/sched.h
  char path[32], text[512];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return true;
  const ssize_t count = read(file, text, sizeof text - 1);
  close(file);
  if (count <= 0) return true;
  text[count] = 0;
  // Behind the name, which may have any characters: state, five numbers, flags.
  const char *rest = strrchr(text, ')');
  unsigned flags = 0;
  return rest && sscanf(rest, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 && (flags & exiting);
}

/// Whether a server is no more: its workers end with it, whatever they read.
static bool has_ended(pid_t server) {
  char byte;
  pthread_mutex_lock(&lock);
  // It never writes; what can be read is an end of the stream, or an error where a request was left
  // unread.
  bool is_gone = server_process != server || server_socket < 0;
  if (!is_gone) {
    const ssize_t count = recv(server_socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    is_gone =
        count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) || is_exiting(server);
  }
  if (is_gone && server_process == server) end_server();
  pthread_mutex_unlock(&lock);
  return is_gone;
}

// MARK: - Requests

static AttuneHDF5Result not_started(const char *what, int error) {
  AttuneHDF5Result result = {.outcome = attune_hdf5_not_started};
  snprintf(result.message, sizeof result.message, "%s: %s", what, strerror(error));
  return result;
}

/// Sends a request and waits for its end; tells which server it was sent to.
static AttuneHDF5Result ask(
    const Request *request, AttuneSharedMemory shared, pid_t *server) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return not_started("cannot make a pipe", errno);
  // Paths mean what they mean here; without this folder they mean nothing.
  int folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) folder = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const int error = folder < 0 ? errno : deliver(shared.identifier, ends[1], folder, server);
  if (folder >= 0) close(folder);
  close(ends[1]);
  char byte;
  // Nothing is written: the pipe closes when the worker ends, however it does.
  while (!error && read(ends[0], &byte, 1) < 0 && errno == EINTR) continue;
  close(ends[0]);
  if (error) return not_started("cannot start a process", error);
  AttuneHDF5Result result = request->result;
  result.message[sizeof result.message - 1] = 0;
  return result;
}

/// Writes a request and what lies behind it into shared memory, sends it and waits.
static AttuneHDF5Result run(
    Request request, const char *path, const AttuneHDF5Selection *selections, uint32_t count) {
  uint64_t byte_count = sizeof request;
  request.selections_offset = byte_count;
  byte_count += count * sizeof(StoredSelection);
  const uint64_t shapes_offset = byte_count;
  for (uint32_t index = 0; index < count; index++)
    byte_count += selections[index].rank * sizeof(uint64_t);
  const uint64_t texts_offset = byte_count;
  byte_count += strlen(path) + 1;
  for (uint32_t index = 0; index < count; index++) byte_count += strlen(selections[index].dataset) + 1;

  AttuneSharedMemory shared = attune_share_memory(byte_count);
  if (!shared.start) return not_started("cannot share memory", errno);
  char *bytes = shared.start;
  uint64_t shape_end = shapes_offset, text_end = texts_offset;
  request.path_offset = text_end;
  request.selection_count = count;
  request.result.outcome = attune_hdf5_crashed;
  memcpy(bytes + text_end, path, strlen(path) + 1);
  text_end += strlen(path) + 1;
  StoredSelection *stored = (StoredSelection *)(bytes + request.selections_offset);
  for (uint32_t index = 0; index < count; index++) {
    const AttuneHDF5Selection selection = selections[index];
    stored[index] = (StoredSelection){
        .dataset_offset = text_end, .shape_offset = shape_end,
        .element_type = selection.element_type, .rank = selection.rank,
        .first_row = selection.first_row, .row_count = selection.row_count,
        .elements_offset = selection.elements_offset, .byte_count = selection.byte_count};
    memcpy(bytes + shape_end, selection.shape, selection.rank * sizeof(uint64_t));
    shape_end += selection.rank * sizeof(uint64_t);
    memcpy(bytes + text_end, selection.dataset, strlen(selection.dataset) + 1);
    text_end += strlen(selection.dataset) + 1;
  }
  AttuneHDF5Result result;
  // A file that crashes its worker leaves the server alone. Where that is gone, somebody ended it.
  for (int attempt = 0; attempt < 2; attempt++) {
    pid_t server = 0;
    memcpy(bytes, &request, sizeof request);
    result = ask((const Request *)bytes, shared, &server);
    if (result.outcome != attune_hdf5_crashed || !has_ended(server)) break;
  }
  attune_unshare_memory(shared);
  return result;
}

static Request request_for(
    RequestKind kind, AttuneHDF5Limits limits, AttuneSharedMemory memory) {
  return (Request){
      .kind = kind, .limits = limits, .memory_identifier = memory.identifier,
      .memory_byte_count = memory.byte_count};
}

AttuneHDF5Result attune_hdf5_list(
    const char *path, AttuneHDF5Limits limits, AttuneSharedMemory records) {
  return run(request_for(attune_list_request, limits, records), path, NULL, 0);
}

AttuneHDF5Result attune_hdf5_read(
    const char *path, const AttuneHDF5Selection *selections, uint32_t count,
    AttuneHDF5Limits limits, AttuneSharedMemory elements) {
  return run(request_for(attune_read_request, limits, elements), path, selections, count);
}

AttuneHDF5Result attune_hdf5_read_texts(
    const char *path, const char *dataset, AttuneHDF5Limits limits, AttuneSharedMemory records) {
  const AttuneHDF5Selection selection = {.dataset = dataset};
  return run(request_for(attune_texts_request, limits, records), path, &selection, 1);
}

AttuneHDF5Result attune_hdf5_probe(AttuneHDF5Probe way, AttuneHDF5Limits limits) {
  Request request = request_for(attune_probe_request, limits, (AttuneSharedMemory){0});
  request.probe = way;
  return run(request, "", NULL, 0);
}
