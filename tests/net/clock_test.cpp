#include "net/clock.h"

#include <ctime>

#include "catch.h"

namespace turnpike::net {

TEST_CASE("the clock does not run backwards", "[net]") {
  const Now first = read_clock();
  const Now second = read_clock();
  CHECK(first.instant <= second.instant);
  CHECK(first.instant > Instant{});
}

TEST_CASE("the wall clock is the system's", "[net]") {
  const std::time_t before = std::time(nullptr);
  const auto wall = read_clock().wall.time_since_epoch().count();
  // time() reads a coarser clock, which may lag behind by a tick.
  CHECK(wall >= before);
  CHECK(wall <= std::time(nullptr) + 1);
}

}  // namespace turnpike::net
