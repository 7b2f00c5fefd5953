// Floods a UDP port of 127.0.0.1 from many addresses, at little cost to itself:
//
//   udp_flooder PORT RATE SECONDS NETWORKS ADDRESSES garbage|HEX
//
// Sends RATE datagrams a second from NETWORKS networks (a /24 each, from 127.64.0.0 on) with
// ADDRESSES in each: the message HEX, its transaction id another one each time when it is STUN, or
// up to 1,200 random bytes. Reads what is answered. Prints one line of JSON: datagrams and bytes that
// it sent and that came back, without IP and UDP headers, and in how many seconds. What it is too
// late for is not made up for: `sent` is what it could do.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flooder.h"

enum { sockets = 8, batch = 32, message_bytes_max = 1200, answer_bytes_max = 2048, late_max = 2000 };

static struct sockaddr_in server = {.sin_family = AF_INET};
static int descriptors[sockets];
static unsigned char message[message_bytes_max];
static size_t message_bytes;
static int is_garbage, is_stun;
static unsigned networks, addresses;
static unsigned long long sent, sent_bytes, answers, answer_bytes;

static uint64_t next_random(void) {
  static uint64_t state = 7;
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

static void fill_randomly(unsigned char* bytes, size_t size) {
  for (; size >= 8; bytes += 8, size -= 8) {
    const uint64_t some = next_random();
    memcpy(bytes, &some, 8);
  }
  const uint64_t rest = next_random();
  memcpy(bytes, &rest, size);
}

static void read_message(const char* text) {
  message_bytes = read_hex(text, message, sizeof message);
  static const unsigned char cookie[4] = {0x21, 0x12, 0xa4, 0x42};
  is_stun = message_bytes >= 20 && memcmp(message + 4, cookie, 4) == 0;
}

/// Sends from any address of this host.
static int open_socket(void) {
  const int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (descriptor < 0) die("socket");
  const int buffer_bytes = 4 << 20;
  setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
  const struct sockaddr_in any = {.sin_family = AF_INET};
  if (bind(descriptor, (const struct sockaddr*)&any, sizeof any) != 0) die("bind");
  return descriptor;
}

/// The networks in turn, so that none is heard twice before all have been.
static in_addr_t source(unsigned long long number) {
  const unsigned network = (unsigned)(number % networks);
  const unsigned host = (unsigned)(number / networks % addresses);
  return htonl(0x7f400000U + (network << 8) + host + 1);
}

static void send_some(unsigned count) {
  static unsigned char bytes[batch][message_bytes_max];
  static union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(struct in_pktinfo))];
  } controls[batch];
  struct mmsghdr messages[batch] = {0};
  struct iovec pieces[batch];
  for (unsigned i = 0; i < count; ++i) {
    size_t size = message_bytes;
    if (is_garbage) {
      size = 1 + next_random() % message_bytes_max;
      fill_randomly(bytes[i], size);
    } else {
      memcpy(bytes[i], message, size);
      if (is_stun) fill_randomly(bytes[i] + 8, 12);
    }
    pieces[i] = (struct iovec){bytes[i], size};
    struct msghdr* const header = &messages[i].msg_hdr;
    header->msg_name = &server;
    header->msg_namelen = sizeof server;
    header->msg_iov = &pieces[i];
    header->msg_iovlen = 1;
    header->msg_control = &controls[i];
    header->msg_controllen = sizeof controls[i];
    struct cmsghdr* const control = CMSG_FIRSTHDR(header);
    control->cmsg_level = IPPROTO_IP;
    control->cmsg_type = IP_PKTINFO;
    control->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
    const struct in_pktinfo from = {.ipi_spec_dst.s_addr = source(sent + i)};
    memcpy(CMSG_DATA(control), &from, sizeof from);
  }
  const int done = sendmmsg(descriptors[sent / batch % sockets], messages, count, 0);
  if (done < 0 && errno != EAGAIN && errno != ENOBUFS) die("sendmmsg");
  for (int i = 0; i < done; ++i) sent_bytes += pieces[i].iov_len;
  if (done > 0) sent += (unsigned)done;
}

static void read_answers(void) {
  static unsigned char bytes[batch][answer_bytes_max];
  struct mmsghdr messages[batch] = {0};
  struct iovec pieces[batch];
  for (unsigned i = 0; i < batch; ++i) {
    pieces[i] = (struct iovec){bytes[i], answer_bytes_max};
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  for (unsigned socket = 0; socket < sockets; ++socket) {
    int count = batch;
    while (count == batch) {
      count = recvmmsg(descriptors[socket], messages, batch, MSG_DONTWAIT, NULL);
      for (int i = 0; i < count; ++i) answer_bytes += messages[i].msg_len;
      if (count > 0) answers += (unsigned)count;
    }
  }
}

int main(int count, char** arguments) {
  if (count != 7) return 2;
  server.sin_port = htons((unsigned short)atoi(arguments[1]));
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const double rate = atof(arguments[2]);
  const double seconds = atof(arguments[3]);
  networks = (unsigned)atoi(arguments[4]);
  addresses = (unsigned)atoi(arguments[5]);
  if (networks < 1 || networks > 0x3fff || addresses < 1 || addresses > 254) return 2;
  is_garbage = strcmp(arguments[6], "garbage") == 0;
  if (!is_garbage) read_message(arguments[6]);
  for (unsigned i = 0; i < sockets; ++i) descriptors[i] = open_socket();
  prctl(PR_SET_TIMERSLACK, 1);

  const double start = now();
  unsigned turns = 0;
  double released = 0;  // sent, or too late to be sent
  for (double elapsed = 0; elapsed < seconds; elapsed = now() - start) {
    double due = elapsed * rate - released;
    if (due > late_max) {
      released += due - late_max;
      due = late_max;
    }
    const unsigned some = due > batch ? batch : (unsigned)due;
    const unsigned long long before = sent;
    if (some > 0) send_some(some);
    released += (double)(sent - before);
    const int is_ahead = some < batch;
    if (is_ahead || ++turns % 16 == 0) read_answers();
    if (is_ahead) usleep(200);
  }
  const double elapsed = now() - start;
  usleep(100000);  // what is on its way comes
  read_answers();
  printf("{\"sent\":%llu,\"sent_bytes\":%llu,\"answers\":%llu,\"answer_bytes\":%llu,\"seconds\":%.3f}\n", sent,
         sent_bytes, answers, answer_bytes, elapsed);
  return 0;
}
