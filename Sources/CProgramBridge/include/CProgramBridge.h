// Starts a program that ends with the process that started it.
//
// posix_spawn has no way to ask for that: the child itself must, between fork and exec.

#ifndef CPROGRAMBRIDGE_H
#define CPROGRAMBRIDGE_H

#include <sys/types.h>

/// Starts a program in a process group of its own, with nothing to read and its output in two
/// files.
///
/// The program is killed when the calling thread ends, however it does; what it started itself is
/// not.
///
/// - arguments: the program, looked for in PATH, and what it is given; NULL at the end.
/// - process: where the new process' number is put.
/// - Returns 0, or the number of the error for which it could not be started.
int attune_start_program(
    char *const *arguments, const char *output_path, const char *errors_path, pid_t *process);

#endif
