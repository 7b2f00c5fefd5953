#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace turnpike {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "turnpike: bug: %s is false at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace turnpike
