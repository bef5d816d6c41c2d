// What Linux has beyond POSIX and Swift's own module of the C library leaves out: epoll, eventfd, accept4, splice,
// thread names.

#ifndef CATRACA_CLINUX_SHIM_H
#define CATRACA_CLINUX_SHIM_H

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

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

#endif
