// An open-loop client: requests are due at times that do not depend on the answers, and a request's latency counts from
// when it was due, not from when a connection was free for it. So a proxy that stops for a moment pays for all that
// should have happened in it. (wrk and h2load send the next request when an answer is there, a stall costs them one.)
//
//   paced PORT CONNECTIONS RATE SECONDS PATH [TOKENS [FIELD]]
//
// Gaps between requests are exponentially distributed (independent clients) from a fixed seed: every proxy gets the
// same times. HTTP/1.1 on kept connections, one request at a time on each. Answers need a Content-Length. TOKENS is a
// file of bearer tokens, one a line, taken in turns; FIELD goes before them where they are something else. Prints: requests failures p50 p99 p99.9 max, latencies in
// microseconds.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 16384, WAITING_MAX = 1 << 20 };

struct connection {
  int descriptor;
  double due;
  long body_left;  // -1 while the head is incomplete
  size_t head_length;
  char head[HEAD_MAX + 1];
};

static const char *path, *field_start = "Authorization: Bearer ";
static int port;
static char **tokens;
static size_t token_count, next_token;
static double *latencies;
static size_t done, failures;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void read_tokens(const char *name) {
  FILE *file = fopen(name, "r");
  if (!file) fail(name);
  char *line = NULL;
  size_t room = 0;
  ssize_t length;
  while ((length = getline(&line, &room, file)) > 0) {
    line[strcspn(line, "\n")] = 0;
    tokens = realloc(tokens, (token_count + 1) * sizeof *tokens);
    tokens[token_count++] = strdup(line);
  }
  fclose(file);
}

static int open_connection(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1, descriptor = socket(AF_INET, SOCK_STREAM, 0);
  if (descriptor < 0 || connect(descriptor, (void *)&address, sizeof address)) fail("connect");
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return descriptor;
}

static void send_request(struct connection *connection, double due) {
  char request[HEAD_MAX];
  int length = snprintf(
      request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s%s\r\n", path, port,
      token_count ? field_start : "", token_count ? tokens[next_token++ % token_count] : "",
      token_count ? "\r\n" : "");
  connection->due = due;
  connection->body_left = -1;
  connection->head_length = 0;
  if (send(connection->descriptor, request, length, MSG_NOSIGNAL) != length) fail("send");
}

// Reads what is there. Returns 1 when the answer is complete.
static int receive(struct connection *connection) {
  static char body[256 * 1024];
  if (connection->body_left < 0) {
    char *head = connection->head;
    ssize_t got = recv(connection->descriptor, head + connection->head_length, HEAD_MAX - connection->head_length, 0);
    if (got <= 0) fail("the proxy closed a connection");
    connection->head_length += got;
    head[connection->head_length] = 0;
    char *end = strstr(head, "\r\n\r\n"), *field = strcasestr(head, "\r\ncontent-length:");
    if (!end) return 0;
    if (!field || field > end) fail("an answer without Content-Length");
    if (strncmp(head, "HTTP/1.1 200", 12)) failures++;
    connection->body_left = atol(field + 17) - (long)(connection->head_length - (end + 4 - head));
    return connection->body_left == 0;
  }
  ssize_t got = recv(connection->descriptor, body, sizeof body, 0);
  if (got <= 0) fail("the proxy closed a connection");
  connection->body_left -= got;
  return connection->body_left == 0;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int count, char **arguments) {
  if (count < 6) return fprintf(stderr, "paced PORT CONNECTIONS RATE SECONDS PATH [TOKENS [FIELD]]\n"), 2;
  port = atoi(arguments[1]);
  int connection_count = atoi(arguments[2]);
  double rate = atof(arguments[3]), seconds = atof(arguments[4]);
  path = arguments[5];
  if (count > 6) read_tokens(arguments[6]);
  if (count > 7) field_start = arguments[7];
  size_t room = rate * seconds * 2 + 1000;
  latencies = malloc(room * sizeof *latencies);
  double *waiting = malloc(WAITING_MAX * sizeof *waiting);
  size_t first_waiting = 0, after_waiting = 0;
  struct connection *connections = calloc(connection_count, sizeof *connections);
  int *idle = malloc(connection_count * sizeof *idle), idle_count = 0;
  int poll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  prctl(PR_SET_TIMERSLACK, 1);
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
  epoll_ctl(poll, EPOLL_CTL_ADD, timer, &event);
  for (int index = 0; index < connection_count; index++) {
    connections[index].descriptor = open_connection();
    event.data.u32 = index;
    epoll_ctl(poll, EPOLL_CTL_ADD, connections[index].descriptor, &event);
    idle[idle_count++] = index;
  }
  srand48(1);
  double due = now() + 0.05, end = due + seconds, hopeless = end + 30;
  while (due < end || idle_count < connection_count) {
    double time = now();
    if (time > hopeless) return fprintf(stderr, "answers are missing\n"), 1;
    while (due <= time && due < end) {
      if (after_waiting - first_waiting == WAITING_MAX) return fprintf(stderr, "far too slow\n"), 1;
      waiting[after_waiting++ % WAITING_MAX] = due;
      due -= log(1 - drand48()) / rate;
    }
    while (first_waiting < after_waiting && idle_count > 0)
      send_request(&connections[idle[--idle_count]], waiting[first_waiting++ % WAITING_MAX]);
    if (due < end) {
      struct itimerspec when = {.it_value = {.tv_sec = (time_t)due, .tv_nsec = (long)((due - floor(due)) * 1e9)}};
      timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
    }
    struct epoll_event events[64];
    int ready = epoll_wait(poll, events, 64, 1000);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int index = 0; index < ready; index++) {
      uint32_t which = events[index].data.u32;
      if (which == UINT32_MAX) {
        uint64_t expirations;
        if (read(timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN) fail("timer");
      } else if (receive(&connections[which])) {
        if (done < room) latencies[done++] = now() - connections[which].due;
        idle[idle_count++] = which;
      }
    }
  }
  qsort(latencies, done, sizeof *latencies, compare);
  if (done == 0) return fprintf(stderr, "no request was due\n"), 1;
#define AT(share) (latencies[(size_t)((done - 1) * (share))] * 1e6)
  printf("%zu %zu %.1f %.1f %.1f %.1f\n", done, failures, AT(0.5), AT(0.99), AT(0.999), AT(1.0));
  return 0;
}
