// Preloaded into coturn's turnutils_uclient, which draws channel numbers from 0x4000..0x7FFF, the
// range of RFC 5766. RFC 8656 ends it at 0x4FFF and a server answers 400 beyond, so three runs in
// four would test nothing but that answer. The tool takes its numbers modulo 0x4000 from eight
// random bytes; without bits 12 and 13 they stay where RFC 8656 wants them.
#include <sys/random.h>

int RAND_bytes(unsigned char *buffer, int size) {
  if (getrandom(buffer, (size_t)size, 0) != size) return 0;
  if (size == 8) buffer[1] &= 0xcf;
  return 1;
}
