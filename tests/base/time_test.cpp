#include "base/time.h"

#include <type_traits>

#include "catch.h"

namespace turnpike::test {

TEST_CASE("instants and wall time cannot be mixed up", "[base]") {
  STATIC_REQUIRE_FALSE(std::is_convertible_v<Instant, WallTime>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<WallTime, Instant>);
  STATIC_REQUIRE(MonotonicClock::is_steady);
}

TEST_CASE("instants carry nanoseconds and reach further than any process lives", "[base]") {
  const Instant start{};
  CHECK((start + seconds{1}) - start == milliseconds{1000});
  CHECK((start + nanoseconds{1}) > start);
  CHECK(start + std::chrono::hours{24 * 365 * 100} > start);
}

}  // namespace turnpike::test
