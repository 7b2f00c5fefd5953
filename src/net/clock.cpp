#include "net/clock.h"

#include <sys/prctl.h>

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

void sleep_precisely() { prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); }

void sleep(nanoseconds duration) {
  if (duration <= nanoseconds{0}) return;
  const auto whole = std::chrono::floor<seconds>(duration);
  const timespec native{whole.count(), (duration - whole).count()};
  nanosleep(&native, nullptr);  // a signal may end it early: it only saves work
}

}  // namespace turnpike::net
