#include "bench/pacer.h"

#include "catch.h"

using namespace turnpike;
using namespace std::chrono_literals;
using bench::Pacer;

namespace {

constexpr Instant start{1h};

}  // namespace

TEST_CASE("a closed loop keeps as many on their way as there is room for", "[bench]") {
  Pacer pacer = Pacer::closed(20);
  pacer.start(start);
  CHECK(pacer.due(start, 0) == 20);
  CHECK(pacer.due(start, 15) == 5);
  CHECK(pacer.due(start, 16) == 0);  // not for so few
  CHECK(pacer.due(start, 20) == 0);
  CHECK(pacer.due(start, 25) == 0);
  CHECK_FALSE(pacer.next());
  CHECK(pacer.left_out() == 0);
}

TEST_CASE("with a rate each train is due at its time, whatever is on its way", "[bench]") {
  Pacer pacer = Pacer::at_rate(1000);
  pacer.start(start);
  CHECK(pacer.due(start, 500) == 1);
  CHECK(pacer.next() == start + 1ms);
  CHECK(pacer.due(start + 999us, 0) == 0);
  CHECK(pacer.due(start + 1ms, 0) == 1);
  CHECK(pacer.due(start + 5ms, 0) == 4);
  CHECK(pacer.due(start + 5ms, 0) == 0);
}

TEST_CASE("over a second a rate sends what it says", "[bench]") {
  Pacer pacer = Pacer::at_rate(50'000);
  pacer.start(start);
  std::uint64_t sent = 0;
  for (nanoseconds at{0}; at < 1s; at += 7us) sent += pacer.due(start + at, 0);
  CHECK(sent >= 49'999);
  CHECK(sent <= 50'001);
}

TEST_CASE("bursts are small, so that there is time to receive between them", "[bench]") {
  Pacer closed = Pacer::closed(1000);
  closed.start(start);
  CHECK(closed.due(start, 0) <= 64);
  Pacer fast = Pacer::at_rate(1e7);
  fast.start(start);
  CHECK(fast.due(start + 10ms, 0) <= 64);
}

TEST_CASE("a load that was away leaves out what it cannot make up for, and says so", "[bench]") {
  Pacer pacer = Pacer::at_rate(1000);
  pacer.start(start);
  CHECK(pacer.due(start, 0) == 1);
  std::uint64_t sent = 0;
  for (int i = 0; i < 10; ++i) sent += pacer.due(start + 1s, 0);
  CHECK(sent < 100);
  CHECK(sent + pacer.left_out() == 1000);
  CHECK(pacer.due(start + 1s + 1ms, 0) == 1);
}
