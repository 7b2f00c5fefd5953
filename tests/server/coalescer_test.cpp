#include "server/coalescer.h"

#include "catch.h"

namespace turnpike::server::test {

namespace {

/// A worker that takes `datagrams` in each turn, a turn each `every`, for `turns` turns; the naps.
int naps(Coalescer& coalescer, Instant& now, std::size_t datagrams, nanoseconds every, int turns) {
  int count = 0;
  for (int i = 0; i < turns; ++i) {
    coalescer.note(datagrams);
    if (coalescer.nap(now) > nanoseconds{0}) ++count;
    now += every;
  }
  return count;
}

constexpr nanoseconds longest = std::chrono::microseconds{100};

}  // namespace

TEST_CASE("naps begin at 10,000 datagrams a second and end below", "[server]") {
  Coalescer coalescer{longest};
  Instant now{seconds{5}};
  CHECK(naps(coalescer, now, 1, std::chrono::microseconds{200}, 1000) == 0);  // 5,000 a second
  CHECK(naps(coalescer, now, 1, std::chrono::microseconds{50}, 2000) > 1500);
  CHECK(naps(coalescer, now, 1, std::chrono::microseconds{200}, 1000) < 60);
  CHECK(naps(coalescer, now, 1, std::chrono::microseconds{200}, 1000) == 0);
}

TEST_CASE("a nap is as long as was asked for, and none is asked for by default", "[server]") {
  Instant now{seconds{5}};
  Coalescer coalescer{longest};
  naps(coalescer, now, 5, std::chrono::microseconds{50}, 1000);
  coalescer.note(5);
  CHECK(coalescer.nap(now) == longest);
  Coalescer off{nanoseconds{0}};
  CHECK(naps(off, now, 5, std::chrono::microseconds{50}, 1000) == 0);
}

TEST_CASE("there is no nap where there is no need of one", "[server]") {
  Coalescer coalescer{longest};
  Instant now{seconds{5}};
  naps(coalescer, now, 5, std::chrono::microseconds{50}, 1000);
  SECTION("after a full batch") { CHECK(naps(coalescer, now, 64, nanoseconds{0}, 3) == 0); }
  SECTION("after a turn without datagrams") {
    CHECK(naps(coalescer, now, 0, nanoseconds{0}, 3) == 0);
  }
  SECTION("after a long silence") {
    now += seconds{1};
    CHECK(naps(coalescer, now, 1, nanoseconds{0}, 3) == 0);
  }
}

}  // namespace turnpike::server::test
