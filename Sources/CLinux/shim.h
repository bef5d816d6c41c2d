// What Linux has beyond POSIX and Swift's own module of the C library leaves out: epoll, eventfd, accept4, splice,
// thread names.

#ifndef CATRACA_CLINUX_SHIM_H
#define CATRACA_CLINUX_SHIM_H

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

// glibc declares these for _GNU_SOURCE only.
int accept4(int descriptor, struct sockaddr *address, socklen_t *size, int flags);
int pipe2(int descriptors[2], int flags);
ssize_t splice(int from, __off64_t *fromOffset, int to, __off64_t *toOffset, size_t count, unsigned int flags);
int pthread_setname_np(pthread_t thread, const char *name);

// Macros of the same, under names of our own.
static const unsigned int catraca_splice_flags = 1 | 2; // SPLICE_F_MOVE | SPLICE_F_NONBLOCK
static const int catraca_set_pipe_size = 1031; // F_SETPIPE_SZ
static const int catraca_get_pipe_size = 1032; // F_GETPIPE_SZ

// Likewise: what tests start programs with.
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

// Where the linker put the program's own code: between the beginning of its file and `etext`. Nothing there is ever
// written, so pages that are unmapped come back from the file when they are used.
extern const char __executable_start[];
extern const char etext[];
static inline int catraca_unmap_code(void) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t start = ((uintptr_t)__executable_start + page - 1) / page * page;
  uintptr_t end = (uintptr_t)etext / page * page;
  return end > start ? madvise((void *)start, end - start, MADV_DONTNEED) : 0;
}

#endif
