// Floods a server on 127.0.0.1 with TLS or DTLS handshakes that it never ends, at little cost to
// itself:
//
//   handshake_flooder tls|dtls PORT RATE SECONDS HELLO [HELLO_WITH_COOKIE]
//
// The hellos are in hexadecimal, the second one with 32 bytes of room for a cookie (client_hello.mjs
// makes both). It comes from many networks (127.x.y.7), so that only the server's limit for all of
// them holds it back. Prints one JSON line: how many handshakes it began, how many of them got the
// server's flight, which is what costs a signature, and in how many seconds.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flooder.h"

enum { slots = 4096, networks = 4000, hello_bytes_max = 1024, handshake = 22 };
enum { cookie_bytes = 32, cookie_at = 13 + 12 + 2 + 32 + 1 + 1 };

struct hello {
  unsigned char bytes[hello_bytes_max];
  size_t size;
};

static struct sockaddr_in server = {.sin_family = AF_INET};
static struct hello first, second;
static long begun, answered;

/// A socket of one of the networks.
static int open_socket(int type, long number) {
  const int descriptor = socket(AF_INET, type | SOCK_NONBLOCK, 0);
  if (descriptor < 0) die("socket");
  const int on = 1;
  setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  struct sockaddr_in source = {.sin_family = AF_INET};
  source.sin_addr.s_addr =
      htonl(0x7f000007U + ((unsigned)(number / 250 % 250 + 1) << 16) + ((unsigned)(number % 250) << 8));
  if (bind(descriptor, (struct sockaddr*)&source, sizeof source) != 0) die("bind");
  if (connect(descriptor, (struct sockaddr*)&server, sizeof server) != 0 && errno != EINPROGRESS) die("connect");
  return descriptor;
}

/// Each handshake has its time until the ring has come round; then its socket is closed.
static struct {
  int descriptor;
  int is_greeted;
  int is_answered;
} ring[slots];
static int poller;

static void begin(int type) {
  const long slot = begun % slots;
  if (ring[slot].descriptor > 0) {
    const struct linger reset = {1, 0};
    setsockopt(ring[slot].descriptor, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(ring[slot].descriptor);
  }
  ring[slot].descriptor = open_socket(type, begun % networks);
  ring[slot].is_greeted = ring[slot].is_answered = 0;
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = (unsigned)slot};
  epoll_ctl(poller, EPOLL_CTL_ADD, ring[slot].descriptor, &event);
  ++begun;
}

static void send_hello(const struct hello* hello, unsigned slot) {
  send(ring[slot].descriptor, hello->bytes, hello->size, MSG_NOSIGNAL);
}

/// What has come: the server's flight counts, a HelloVerifyRequest is answered.
static void read_answer(unsigned slot) {
  unsigned char answer[2048];
  const ssize_t size = recv(ring[slot].descriptor, answer, sizeof answer, 0);
  if (size < 1 || answer[0] != handshake || ring[slot].is_answered) return;
  if (second.size > 0 && size >= 28 + cookie_bytes && answer[13] == 3) {
    memcpy(second.bytes + cookie_at, answer + 28, cookie_bytes);
    send_hello(&second, slot);
    return;
  }
  ring[slot].is_answered = 1;
  ++answered;
}

static void work(void) {
  struct epoll_event events[512];
  const int count = epoll_wait(poller, events, 512, 0);
  for (int i = 0; i < count; ++i) {
    const unsigned slot = events[i].data.u32;
    if (!ring[slot].is_greeted && (events[i].events & EPOLLOUT) != 0) {
      ring[slot].is_greeted = 1;
      send_hello(&first, slot);
    }
    if ((events[i].events & EPOLLIN) != 0) read_answer(slot);
  }
}

int main(int count, char** arguments) {
  if (count < 6) return 2;
  const int type = strcmp(arguments[1], "tls") == 0 ? SOCK_STREAM : SOCK_DGRAM;
  server.sin_port = htons((unsigned short)atoi(arguments[2]));
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const double rate = atof(arguments[3]);
  const double seconds = atof(arguments[4]);
  first.size = read_hex(arguments[5], first.bytes, hello_bytes_max);
  if (count > 6) second.size = read_hex(arguments[6], second.bytes, hello_bytes_max);
  struct rlimit descriptors;
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  poller = epoll_create1(0);

  const double start = now();
  for (double elapsed = 0; elapsed < seconds; elapsed = now() - start) {
    while ((double)begun < elapsed * rate) begin(type);
    work();
    usleep(500);
  }
  printf("{\"begun\":%ld,\"answered\":%ld,\"seconds\":%.3f}\n", begun, answered, now() - start);
  return 0;
}
