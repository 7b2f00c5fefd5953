#include "net/clock.h"

#include <ctime>

#include "base/assert.h"

namespace turnpike::net {

Now read_clock() {
  timespec since_boot{};
  const int failed = clock_gettime(CLOCK_BOOTTIME, &since_boot);
  TURNPIKE_ASSERT(failed == 0);
  return {Instant{seconds{since_boot.tv_sec} + nanoseconds{since_boot.tv_nsec}},
          std::chrono::floor<seconds>(std::chrono::system_clock::now())};
}

}  // namespace turnpike::net
