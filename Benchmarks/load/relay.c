// The floor of the open loop: passes bytes on and looks at none. One thread, one connection to the backend for each of
// a client's. `relay PORT BACKEND-PORT`.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { events_max = 256, descriptors_max = 65536, buffer_size = 65536 };

static int partners[descriptors_max];
static char buffer[buffer_size];

static struct sockaddr_in loopback(const char *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void watch(int poller, int descriptor) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event)) fail("epoll_ctl");
}

static void accept_all(int poller, int listener, const struct sockaddr_in *backend) {
  for (;;) {
    int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (client < 0) return;
    // Loopback connects at once.
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (server < 0 || server >= descriptors_max || connect(server, (const void *)backend, sizeof *backend)) {
      fail("connect");
    }
    int on = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    partners[client] = server;
    partners[server] = client;
    watch(poller, client);
    watch(poller, server);
  }
}

// Small messages: what does not fit into the other's socket at once is waited for.
static void pass_on(int from) {
  int to = partners[from];
  if (to < 0) return;
  ssize_t count = recv(from, buffer, sizeof buffer, MSG_DONTWAIT);
  if (count < 0 && errno == EAGAIN) return;
  for (ssize_t sent = 0; sent < count;) {
    ssize_t written = send(to, buffer + sent, (size_t)(count - sent), MSG_NOSIGNAL);
    if (written > 0) sent += written;
    else if (errno != EAGAIN) { count = 0; }
  }
  if (count > 0) return;
  partners[from] = partners[to] = -1;
  close(from);
  close(to);
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  struct rlimit descriptors = {descriptors_max, descriptors_max};
  setrlimit(RLIMIT_NOFILE, &descriptors);
  struct sockaddr_in address = loopback(arguments[1]), backend = loopback(arguments[2]);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (const void *)&address, sizeof address) || listen(listener, 4096)) fail("listen");
  int poller = epoll_create1(0);
  watch(poller, listener);
  struct epoll_event events[events_max];
  for (;;) {
    int ready = epoll_wait(poller, events, events_max, -1);
    for (int index = 0; index < ready; index++) {
      if (events[index].data.fd == listener) accept_all(poller, listener, &backend);
      else pass_on(events[index].data.fd);
    }
  }
}
