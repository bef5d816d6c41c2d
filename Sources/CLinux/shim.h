// What Linux has beyond POSIX and Swift's own module of the C library leaves out: epoll, eventfd, accept4, thread names.

#ifndef CATRACA_CLINUX_SHIM_H
#define CATRACA_CLINUX_SHIM_H

#include <pthread.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

// glibc declares these for _GNU_SOURCE only.
int accept4(int descriptor, struct sockaddr *address, socklen_t *size, int flags);
int pthread_setname_np(pthread_t thread, const char *name);

// The same; what tests start programs with.
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

#endif
