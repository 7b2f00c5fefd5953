// Preloaded into coturn's turnutils_uclient, for what it does wrong.
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

// It draws channel numbers from 0x4000..0x7FFF, the range of RFC 5766. RFC 8656 ends it at 0x4FFF
// and a server answers 400 beyond, so three runs in four would test nothing but that answer. The
// tool takes its numbers modulo 0x4000 from eight random bytes; without bits 12 and 13 they stay
// where RFC 8656 wants them.
int RAND_bytes(unsigned char *buffer, int size) {
  if (getrandom(buffer, (size_t)size, 0) != size) return 0;
  if (size == 8) buffer[1] &= 0xcf;
  return 1;
}

int SSL_peek(void *ssl, void *buffer, int size);
int SSL_read_ex(void *ssl, void *buffer, size_t size, size_t *read_bytes);

// How many bytes the message has that begins with these `available` ones, its padding included.
static size_t message_bytes(const unsigned char *bytes, size_t available) {
  static const unsigned char cookie[] = {0x21, 0x12, 0xa4, 0x42};
  const int is_channel_data = bytes[0] >= 0x40 && bytes[0] <= 0x4f;
  const int is_stun = available >= 20 && memcmp(bytes + 4, cookie, sizeof cookie) == 0;
  if (!is_stun && !is_channel_data) {  // on a data connection of RFC 6062: what -l says
    const char *data_bytes = getenv("UCLIENT_DATA_BYTES");
    return data_bytes && *data_bytes ? (size_t)atoi(data_bytes) : available;
  }
  const size_t length = (size_t)bytes[2] << 8 | bytes[3];
  return ((is_stun ? 20 : 4) + length + 3) / 4 * 4;
}

// Over TCP it reads one message at a time, but over TLS whatever one SSL_read returns, and of two
// messages in one record it sees the first alone. So let it read no further than the first.
int SSL_read(void *ssl, void *buffer, int size) {
  size_t wanted = (size_t)size;
  const int available = SSL_peek(ssl, buffer, size);
  if (available >= 4) {
    const size_t first = message_bytes(buffer, (size_t)available);
    if (first < wanted) wanted = first;
  }
  size_t read_bytes = 0;
  return SSL_read_ex(ssl, buffer, wanted, &read_bytes) == 1 ? (int)read_bytes : -1;
}

// With -M it shuts its old TLS connection down and frees it, makes another, and then shuts down and
// frees what it has freed: by that time the same address may be the new connection. So nothing is
// freed.
void SSL_free(void *ssl) { (void)ssl; }
