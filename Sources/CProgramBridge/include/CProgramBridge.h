// Starts a program that ends with the process that started it.
//
// posix_spawn has no way to ask for that: the child itself must, between fork and exec.

#ifndef CPROGRAMBRIDGE_H
#define CPROGRAMBRIDGE_H

#include <sys/types.h>

/// Starts a program in a process group of its own.
///
/// The program is killed when the calling thread ends, however it does; what it started itself is
/// not.
///
/// - arguments: the program, looked for in PATH, and what it is given; NULL at the end.
/// - streams: the descriptors that become its standard input, output and error, and those after.
/// - count: how many, at most 8.
/// - process: where the new process' number is put.
/// - Returns 0, or the number of the error for which it could not be started.
int attune_start_program(
    char *const *arguments, const int *streams, int count, pid_t *process);

/// Makes a pipe whose ends no other program inherits: the reading one, the writing one.
///
/// - Returns 0, or -1 with `errno`.
int attune_make_pipe(int ends[2]);

/// Makes memory without a name that several processes can map; it cannot be made smaller or larger,
/// and takes room only where it has been written.
///
/// - Returns a descriptor, or -1 with `errno`.
int attune_make_memory(size_t size);

#endif
