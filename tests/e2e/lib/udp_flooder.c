// Floods a UDP port of 127.0.0.1 or ::1 from many addresses, at little cost to itself:
//
//   udp_flooder ADDRESS PORT RATE SECONDS NETWORKS ADDRESSES garbage|HEX [TRAIN]
//
// Sends RATE datagrams a second from NETWORKS networks with ADDRESSES in each: IPv4 /24 from
// 127.64.0.0 on, or IPv6 /56 of 3fff::/20, which has to be routed here (floods.mjs). Each is the
// message HEX, its transaction id another one each time when it is STUN, or up to 1,200 random
// bytes. With TRAIN, so many of the same size and from the same address go as one message
// (UDP_SEGMENT), which is much cheaper to send; it reaches a socket with UDP_GRO as one, as a
// network card hands over what arrives back to back. Reads what is answered. Prints one line of
// JSON: datagrams and bytes that it sent and that came back, without IP and UDP headers, and in how
// many seconds. What it is too late for is not made up for: `sent` is what it could do.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flooder.h"

enum {
  sockets = 8,
  batch = 32,
  message_bytes_max = 1200,
  answer_bytes_max = 2048,
  late_max = 2000
};
enum { train_max = 50, train_bytes_max = train_max * message_bytes_max };  // a packet holds no more
enum { ipv4_networks_max = 0x3fff, ipv4_addresses_max = 254 };
static const uint64_t ipv6_networks_max = 1ULL << 36, ipv6_addresses_max = 1ULL << 28;

static union {
  struct sockaddr any;
  struct sockaddr_in ipv4;
  struct sockaddr_in6 ipv6;
} server;
static socklen_t server_bytes;
static int descriptors[sockets];
static unsigned char message[message_bytes_max];
static size_t message_bytes;
static unsigned char noise[1 << 18];
static int is_garbage, is_stun;
static uint64_t networks, addresses;
static unsigned train = 1;
static unsigned long long sent, sent_bytes, answers, answer_bytes;

/// Another number for each: as splitmix64 ends.
static uint64_t mixed(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

static uint64_t next_random(void) {
  static uint64_t state = 7;
  return mixed(state += 0x9e3779b97f4a7c15);
}

static void fill_randomly(unsigned char* bytes, size_t size) {
  for (; size >= 8; bytes += 8, size -= 8) {
    const uint64_t some = next_random();
    memcpy(bytes, &some, 8);
  }
  const uint64_t rest = next_random();
  memcpy(bytes, &rest, size);
}

static void read_server(const char* address, const char* port) {
  const in_port_t number = htons((unsigned short)atoi(port));
  if (inet_pton(AF_INET6, address, &server.ipv6.sin6_addr) == 1) {
    server.ipv6.sin6_family = AF_INET6;
    server.ipv6.sin6_port = number;
    server_bytes = sizeof server.ipv6;
  } else if (inet_pton(AF_INET, address, &server.ipv4.sin_addr) == 1) {
    server.ipv4.sin_family = AF_INET;
    server.ipv4.sin_port = number;
    server_bytes = sizeof server.ipv4;
  }
}

static int is_ipv6(void) { return server.any.sa_family == AF_INET6; }

static void read_message(const char* text) {
  is_garbage = strcmp(text, "garbage") == 0;
  if (is_garbage) {
    fill_randomly(noise, sizeof noise);
    return;
  }
  message_bytes = read_hex(text, message, sizeof message);
  static const unsigned char cookie[4] = {0x21, 0x12, 0xa4, 0x42};
  is_stun = message_bytes >= 20 && memcmp(message + 4, cookie, 4) == 0;
}

/// False when the command line asks for what there is not.
static int read_arguments(int count, char** arguments) {
  if (count != 8 && count != 9) return 0;
  read_server(arguments[1], arguments[2]);
  networks = strtoull(arguments[5], NULL, 10);
  addresses = strtoull(arguments[6], NULL, 10);
  read_message(arguments[7]);
  if (count == 9) train = (unsigned)atoi(arguments[8]);
  const uint64_t networks_max = is_ipv6() ? ipv6_networks_max : ipv4_networks_max;
  const uint64_t addresses_max = is_ipv6() ? ipv6_addresses_max : ipv4_addresses_max;
  return server_bytes > 0 && networks >= 1 && networks <= networks_max && addresses >= 1 &&
         addresses <= addresses_max && train >= 1 && train <= train_max;
}

/// Sends from any address of this host.
static int open_socket(void) {
  const int family = server.any.sa_family;
  const int descriptor = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (descriptor < 0) die("socket");
  const int buffer_bytes = 4 << 20;
  setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
  const struct sockaddr_in6 any = {.sin6_family = (sa_family_t)family};  // zeroes for IPv4 too
  if (bind(descriptor, (const struct sockaddr*)&any, server_bytes) != 0) die("bind");
  return descriptor;
}

/// The networks in turn, so that none is heard twice before all have been.
static struct in_pktinfo source_ipv4(uint64_t number) {
  const unsigned network = (unsigned)(number % networks);
  const unsigned host = (unsigned)(number / networks % addresses);
  return (struct in_pktinfo){.ipi_spec_dst.s_addr = htonl(0x7f400000U + (network << 8) + host + 1)};
}

/// As source_ipv4(). An odd factor takes each network elsewhere, so that they have few /48 in
/// common; in one network the addresses have as many /64 as there are.
static struct in6_pktinfo source_ipv6(uint64_t number) {
  const uint64_t network = number % networks;
  const uint64_t host = number / networks % addresses;
  const uint64_t prefix = network * 0x9e3779b97f4a7c15 & (ipv6_networks_max - 1);
  const uint64_t interface = mixed(network * ipv6_addresses_max + host);
  const uint64_t halves[2] = {htobe64(0x3fff0ULL << 44 | prefix << 8 | interface >> 56),
                              htobe64(interface)};
  struct in6_pktinfo info = {0};
  memcpy(&info.ipi6_addr, halves, sizeof halves);
  return info;
}

/// Room for the source's address and the size of a train's datagrams.
union controls {
  struct cmsghdr header;
  char room[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t))];
};

static void add_control(struct msghdr* header, int level, int type, const void* value,
                        size_t size) {
  struct cmsghdr* const control =
      (struct cmsghdr*)((char*)header->msg_control + header->msg_controllen);
  control->cmsg_level = level;
  control->cmsg_type = type;
  control->cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(control), value, size);
  header->msg_controllen += CMSG_SPACE(size);
}

static void add_source(struct msghdr* header, uint64_t number) {
  if (is_ipv6()) {
    const struct in6_pktinfo from = source_ipv6(number);
    add_control(header, IPPROTO_IPV6, IPV6_PKTINFO, &from, sizeof from);
  } else {
    const struct in_pktinfo from = source_ipv4(number);
    add_control(header, IPPROTO_IP, IP_PKTINFO, &from, sizeof from);
  }
}

/// One datagram, or a train of them; of garbage somewhere in the noise, which need not be made
/// anew. Returns the size of each.
static size_t make_datagrams(unsigned char* room, struct iovec* piece) {
  if (is_garbage) {
    const size_t size = 1 + next_random() % message_bytes_max;
    *piece = (struct iovec){noise + next_random() % (sizeof noise - train * size), train * size};
    return size;
  }
  *piece = (struct iovec){room, train * message_bytes};
  for (unsigned i = 0; i < train; ++i) {
    unsigned char* const one = room + i * message_bytes;
    memcpy(one, message, message_bytes);
    if (is_stun) fill_randomly(one + 8, 12);
  }
  return message_bytes;
}

/// `count` datagrams or trains.
static void send_some(unsigned count) {
  static unsigned char rooms[batch][train_bytes_max];
  static union controls controls[batch];
  static unsigned long long turn;
  struct mmsghdr messages[batch] = {0};
  struct iovec pieces[batch];
  for (unsigned i = 0; i < count; ++i) {
    const uint16_t size = (uint16_t)make_datagrams(rooms[i], &pieces[i]);
    struct msghdr* const header = &messages[i].msg_hdr;
    header->msg_name = &server;
    header->msg_namelen = server_bytes;
    header->msg_iov = &pieces[i];
    header->msg_iovlen = 1;
    header->msg_control = &controls[i];
    add_source(header, sent / train + i);
    if (train > 1) add_control(header, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size);
  }
  const int done = sendmmsg(descriptors[turn++ % sockets], messages, count, 0);
  if (done < 0 && errno != EAGAIN && errno != ENOBUFS) die("sendmmsg");
  for (int i = 0; i < done; ++i) sent_bytes += pieces[i].iov_len;
  if (done > 0) sent += (unsigned)done * train;
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
  if (!read_arguments(count, arguments)) return 2;
  const double rate = atof(arguments[3]);
  const double seconds = atof(arguments[4]);
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
    const unsigned trains = (unsigned)due / train;
    const unsigned some = trains > batch ? batch : trains;
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
  printf(
      "{\"sent\":%llu,\"sent_bytes\":%llu,\"answers\":%llu,\"answer_bytes\":%llu,\"seconds\":%.3f}"
      "\n",
      sent, sent_bytes, answers, answer_bytes, elapsed);
  return 0;
}
