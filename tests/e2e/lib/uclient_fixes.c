// Preloaded into coturn's turnutils_uclient, for two things that it does wrong.
#include <stddef.h>
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

// Over TCP it reads one message at a time, but over TLS whatever one SSL_read returns, and of two
// messages in one record it sees the first alone. So let it read no further than the first.
int SSL_read(void *ssl, void *buffer, int size) {
  const unsigned char *bytes = buffer;
  size_t wanted = (size_t)size;
  const int available = SSL_peek(ssl, buffer, size);
  if (available >= 4) {
    const size_t header_bytes = bytes[0] < 0x40 ? 20 : 4;
    const size_t length = (size_t)bytes[2] << 8 | bytes[3];
    const size_t message_bytes = (header_bytes + length + 3) / 4 * 4;
    if (message_bytes < wanted) wanted = message_bytes;
  }
  size_t read_bytes = 0;
  return SSL_read_ex(ssl, buffer, wanted, &read_bytes) == 1 ? (int)read_bytes : -1;
}
